import hashlib
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import LacunaError
from lacuna.inference import predictor as predictor_module
from lacuna.inference.predictor import Predictor
from lacuna.inference.runtimes import EXACT_RUNTIMES
from tests.tiny_bundle import PICK, SIZE, TIED_CALIBRATION, TIED_PICK, TIED_TARGETS, write_tiny_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("predictor") / "bundle")


@pytest.fixture(scope="module", params=EXACT_RUNTIMES)
def predictor(request, folder):
    return Predictor.load(folder, request.param)


def picture(red: int, green: int, blue: int, height: int = SIZE, width: int = SIZE):
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_probabilities_are_calibrated_and_decided_by_the_targets_rule(predictor):
    above, below = predictor.predict([picture(255, 0, 51), picture(0, 102, 51)])

    red = above.targets["red"]
    assert red.kind == "binary"
    assert red.probabilities == pytest.approx({"absent": 1 - sigmoid(1), "present": sigmoid(1)}, abs=1e-6)
    assert red.probability == red.probabilities["present"]
    assert (red.decision, red.detected, red.threshold) == ("present", True, 0.6)

    red = below.targets["red"]
    assert red.probability == pytest.approx(sigmoid(-1), abs=1e-6)
    assert (red.decision, red.detected) == ("absent", False)

    colour = below.targets["colour"]
    assert colour.probabilities == pytest.approx({"green": sigmoid(0.2), "blue": sigmoid(-0.2)}, abs=1e-6)
    assert (colour.decision, colour.detected, colour.threshold) == ("green", None, None)
    assert colour.probability == colour.probabilities["green"]
    assert above.targets["colour"].decision == "blue"


def test_the_rules_threshold_decides_and_not_one_half(predictor):
    # 2 r - 1 is 0.3 for r = 0.65, a probability of 0.574: above one half, below the threshold of 0.6
    (prediction,) = predictor.predict([picture(166, 0, 0)])
    assert 0.5 < prediction.targets["red"].probability < 0.6
    assert prediction.targets["red"].detected is False


def test_a_path_the_content_of_a_file_and_its_pixels_are_predicted_alike(predictor, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    by_path, by_content, by_pixels, by_name = predictor.predict([path, path.read_bytes(), pixels, str(path)])
    assert by_path.targets == by_content.targets == by_pixels.targets == by_name.targets
    assert [by_path.name, by_content.name, by_pixels.name, by_name.name] == [str(path), "1", "2", str(path)]


def test_images_are_resized_as_the_bundle_says(predictor):
    # padded to a square with white, half of a black image of 2 to 1 becomes white: every mean is 0.5
    (prediction,) = predictor.predict([picture(0, 0, 0, height=10, width=20)])
    assert prediction.targets["red"].probability == pytest.approx(sigmoid(2 * 0.5 - 1), abs=1e-6)


def test_an_unreadable_image_gets_a_reason_and_the_others_their_predictions(predictor, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("not an image")
    bomb = io.BytesIO()
    Image.new("1", (2000, 2000)).save(bomb, "PNG")
    images = [tmp_path / "missing.jpg", picture(255, 0, 0), text, b"", bomb.getvalue(), picture(0, 0, 0)]
    predictions = predictor.predict(images)
    assert [one.error for one in predictions] == [
        "no such file",
        None,
        "not an image of a known format",
        "empty file",
        "too many pixels: 2000 x 2000, at most 1000000 are allowed",
        None,
    ]
    assert [one.targets["red"].detected for one in predictions if one.error is None] == [True, False]
    assert all(one.targets == {} for one in predictions if one.error is not None)


def test_images_beyond_one_batch_keep_their_order(predictor, monkeypatch):
    monkeypatch.setattr(predictor_module, "IMAGES_AT_ONCE", 4)
    images = [picture(25 * step, 0, 0) if step % 3 else b"broken" for step in range(11)]
    predictions = predictor.predict(images)
    for step, one in enumerate(predictions):
        if step % 3:
            expected = sigmoid(2 * 25 * step / 255 - 1)
            assert one.targets["red"].probability == pytest.approx(expected, abs=1e-5)
        else:
            assert one.error is not None
    assert [one.name for one in predictions] == [str(step) for step in range(11)]


def test_no_images_are_no_predictions(predictor):
    assert predictor.predict([]) == []


def test_pixels_of_another_kind_are_the_callers_mistake(predictor):
    for wrong in (np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8)):
        with pytest.raises(ValueError, match="expected uint8 pixels"):
            predictor.predict([wrong])


def test_both_runtimes_agree(folder):
    images = [np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8) for seed in range(5)]
    by_openvino, by_onnx = (Predictor.load(folder, runtime).predict(images) for runtime in EXACT_RUNTIMES)
    for one, other in zip(by_openvino, by_onnx, strict=True):
        for name in one.targets:
            assert one.targets[name].probabilities == pytest.approx(other.targets[name].probabilities, abs=1e-5)


def test_json_holds_the_reason_or_every_probability(predictor):
    good, bad = (one.to_json() for one in predictor.predict([picture(255, 0, 51), b""]))
    assert bad == {"image": "1", "error": "empty file"}
    assert good["targets"]["red"] == {
        "kind": "binary",
        "decision": "present",
        "detected": True,
        "threshold": 0.6,
        "probabilities": pytest.approx({"absent": 1 - sigmoid(1), "present": sigmoid(1)}, abs=1e-6),
    }
    assert set(good["targets"]["colour"]) == {"kind", "decision", "probabilities"}


@pytest.mark.parametrize("runtime", EXACT_RUNTIMES)
def test_a_network_that_no_runtime_reads_or_that_does_not_fit_is_refused_at_once(runtime, tmp_path):
    folder: Path = write_tiny_bundle(tmp_path / "bundle")
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    whole = path.read_text()

    content["networks"][0]["input"]["image_size"] = 64
    path.write_text(json.dumps(content))
    with pytest.raises(LacunaError, match=f"{runtime} cannot run this network"):
        Predictor.load(folder, runtime)

    content = json.loads(whole)
    file = {"openvino": "model.xml", "onnx": "model.onnx"}[runtime]
    (folder / file).write_bytes(b"damaged")
    content["networks"][0]["files"][file] = hashlib.sha256(b"damaged").hexdigest()
    path.write_text(json.dumps(content))
    with pytest.raises(LacunaError, match=f"{runtime} cannot run this network") as caught:
        Predictor.load(folder, runtime)
    assert "\n" not in str(caught.value)


def test_a_network_of_other_targets_is_refused(tmp_path):
    folder = write_tiny_bundle(tmp_path / "bundle")
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    content["targets"] = content["targets"][:1]
    del content["training_counts"]["red"]
    path.write_text(json.dumps(content))
    with pytest.raises(LacunaError, match="expected a network of 2 logits, received shape"):
        Predictor.load(folder)


def test_tied_targets_are_decided_together_and_keep_their_probabilities(tmp_path):
    predictor = Predictor.load(write_tiny_bundle(tmp_path / "tied", TIED_TARGETS, TIED_CALIBRATION, TIED_PICK))
    # green 0.8 and blue 0.4, leaf 0 and sky 0.8: alone it would be green and sky
    tied, alone = predictor.predict([picture(0, 204, 102), picture(255, 204, 102)])
    colour, shade = tied.targets["colour"], tied.targets["shade"]
    assert (colour.decision, shade.decision) == ("blue", "sky")  # 0.4 + 0.8 against 0.8 + 0
    assert colour.probabilities == pytest.approx({"green": sigmoid(0.4), "blue": sigmoid(-0.4)}, abs=1e-6)
    assert colour.probability == colour.probabilities["blue"]
    assert (alone.targets["colour"].decision, alone.targets["shade"].decision) == ("green", "leaf")


def test_a_stream_takes_images_only_as_it_needs_them(predictor, monkeypatch):
    monkeypatch.setattr(predictor_module, "IMAGES_AT_ONCE", 2)
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield picture(255, 0, 0)

    stream = predictor.stream(endless())
    assert [next(stream).name for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) <= 6


def test_many_threads_each_get_the_answer_to_their_own_image(predictor):
    from concurrent.futures import ThreadPoolExecutor

    reds = [5 * step for step in range(50)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda red: predictor.predict_decoded([predictor.decode(picture(red, 0, 0))])[0], reds))
    for red, answer in zip(reds, answers, strict=True):
        assert answer.targets["red"].probability == pytest.approx(sigmoid(2 * red / 255 - 1), abs=1e-5)
    assert predictor.predict_decoded([]) == []


def test_a_heat_map_shows_what_each_place_adds_to_the_score(predictor):
    halves = picture(255, 0, 0)
    halves[:, SIZE // 2 :] = (0, 51, 102)  # green .2, blue .4
    red = predictor.explain(halves, "red")
    assert (red.target, red.class_name) == ("red", red.prediction.targets["red"].decision)
    sign = 1 if red.class_name == "present" else -1
    np.testing.assert_allclose(red.values[:, : SIZE // 2], sign, atol=1e-6)
    np.testing.assert_allclose(red.values[:, SIZE // 2 :], 0, atol=1e-6)

    green = predictor.explain(halves, "colour", "green")  # its logit less the mean of green's and blue's
    np.testing.assert_allclose(green.values[:, SIZE // 2 :], 0.2 - (0.2 + 0.4) / 2, atol=1e-6)
    np.testing.assert_allclose(-green.values, predictor.explain(halves, "colour", "blue").values, atol=1e-6)


def test_what_can_not_be_explained_is_named(predictor, tmp_path):
    from lacuna.data.images.headers import UnreadableImageError

    with pytest.raises(LacunaError, match="target 'shape': expected one of colour, red"):
        predictor.explain(picture(0, 0, 0), "shape")
    with pytest.raises(LacunaError, match="class 'pink' of colour: expected one of green, blue"):
        predictor.explain(picture(0, 0, 0), "colour", "pink")
    with pytest.raises(UnreadableImageError, match="empty file"):
        predictor.explain(b"", "colour")
    folder = write_tiny_bundle(tmp_path / "bundle", linear=False)
    hidden = Predictor.load(str(folder))
    assert predictor.explainable
    assert not hidden.explainable
    with pytest.raises(
        LacunaError, match="heat maps need a single network with feature maps whose head has no hidden layer"
    ):
        hidden.explain(picture(0, 0, 0), "colour")


def test_a_promise_leaves_doubtful_images_unanswered(tmp_path):
    # In test, colours are right whenever they are stated with 0.63 (a logit of 0.5) or more, and half the time below.
    stated = np.linspace(-4, 4, 400).astype(np.float32)  # calibrated logit of blue against green
    right = (np.abs(stated) > 0.5) | (np.arange(400) % 2 == 0)
    labels = np.stack([np.where(right, stated > 0, stated < 0), np.full(400, -1)], axis=1).astype(np.int16)
    logits = np.stack([np.zeros(400), stated, np.zeros(400)], axis=1).astype(np.float32)
    from lacuna.core.predictions import Predictions

    folder = write_tiny_bundle(
        tmp_path / "bundle", test=Predictions(logits, labels, np.arange(400).astype(str), np.arange(400))
    )
    predictor = Predictor.load(folder, min_precision=0.98)
    assert predictor.promises["colour"].needed == 0
    assert predictor.promises["red"].needed == 149  # 0.98 ** 149 < 0.05, the doubt shared by absent and present
    clear, doubtful = predictor.predict([picture(0, 0, 255), picture(0, 128, 130)])
    assert clear.targets["colour"].unsure is False
    assert doubtful.targets["colour"].unsure is True
    assert clear.targets["red"].unsure is True
    assert clear.to_json()["targets"]["colour"]["unsure"] is False
    assert Predictor.load(folder).predict([picture(0, 0, 255)])[0].targets["colour"].unsure is None
    with pytest.raises(LacunaError, match="min_precision: expected a number between 0 and 1, received 95"):
        Predictor.load(folder, min_precision=95)


def test_a_heat_map_is_measured_from_the_average_training_image(folder, tmp_path):
    """Its mean is the score without the bias of the standardized head, also where the head has a mean and a scale."""
    from lacuna.core.head_weights import HeadWeights

    predictor = Predictor.load(folder, "onnx")
    predictor.head = HeadWeights(
        np.array([0.5, 0.25, 0]), np.array([2.0, 1, 1]), np.array(PICK) * 1.0, np.array([9.0, 9, 9])
    )
    heat = predictor.explain(picture(255, 0, 0), "red", "present")
    assert heat.values.mean() == pytest.approx((1 - 0.5) / 2)


def test_what_stands_beside_the_network_must_fit_it(tmp_path):
    from lacuna.core.head_weights import HeadWeights

    def changed(file: str, content: bytes) -> Path:
        folder = write_tiny_bundle(tmp_path / file.replace(".", "_"))
        (folder / file).write_bytes(content)
        path = folder / "bundle.json"
        description = json.loads(path.read_text())
        description["networks"][0]["files"][file] = hashlib.sha256(content).hexdigest()
        path.write_text(json.dumps(description))
        return folder

    with pytest.raises(LacunaError, match=r"layout\.json: no layout of features .*; run `dvc repro bundle`"):
        Predictor.load(changed("layout.json", b'[{"size": 3}]'))
    other = tmp_path / "other.npz"
    HeadWeights(np.zeros(4), np.ones(4), np.ones((4, 3)), np.zeros(3)).save(other)
    with pytest.raises(LacunaError, match=r"head\.npz: not the linear head of this network"):
        Predictor.load(changed("head.npz", other.read_bytes()))
