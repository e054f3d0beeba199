"""What the service answers: the numbers are worked out in tests/tiny_bundle.py."""

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from benchmarks.service_process import running_service
from lacuna.presentation.overlay import PADDING
from tests.tiny_bundle import SIZE, TIED_CALIBRATION, TIED_PICK, TIED_TARGETS, write_tiny_bundle


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_each_target_has_its_decision_and_its_labels_by_confidence(client, picture):
    answer = client.post("/predict", files={"file": ("cat.png", picture((255, 0, 51)))})

    assert answer.status_code == 200
    content = answer.json()
    assert content["image"] == "cat.png"
    assert content["models"] == ["tiny"]
    red, colour = content["targets"]["red"], content["targets"]["colour"]
    assert red["probability"] == pytest.approx(sigmoid(1), abs=1e-6)
    assert (red["kind"], red["decision"], red["threshold"]) == ("binary", "present", 0.6)
    assert [one["label"] for one in red["top"]] == ["present", "absent"]
    assert [one["confidence"] for one in red["top"]] == pytest.approx([sigmoid(1), 1 - sigmoid(1)], abs=1e-6)
    assert (colour["decision"], colour["probability"]) == ("blue", pytest.approx(sigmoid(0.2), abs=1e-6))
    assert "threshold" not in colour
    assert "unsure" not in red
    assert "unfamiliar" not in content


def test_a_binary_target_below_its_threshold_keeps_the_probability_of_present(client, picture):
    red = client.post("/predict", files={"file": picture((0, 102, 51))}).json()["targets"]["red"]

    assert (red["decision"], red["probability"]) == ("absent", pytest.approx(sigmoid(-1), abs=1e-6))
    assert red["top"][0]["label"] == "absent"


@pytest.mark.parametrize("way", [{"params": {"top_k": 1}}, {"data": {"top_k": 1}}])
def test_top_k_in_the_address_or_the_form_says_how_many_labels(client, picture, way):
    targets = client.post("/predict", files={"file": picture()}, **way).json()["targets"]

    assert [[one["label"] for one in target["top"]] for target in targets.values()] == [["blue"], ["present"]]


def test_a_batch_answers_in_order_and_an_unreadable_image_spoils_no_other(client, picture):
    files = [
        ("files", ("a.png", picture((255, 0, 0)))),
        ("files", ("notes.jpg", b"not an image")),
        ("files", ("b.jpg", picture((0, 0, 255), kind="JPEG"))),
    ]

    answer = client.post("/predict/batch", files=files, params={"top_k": 1})

    assert answer.status_code == 200
    a, notes, b = answer.json()["images"]
    assert (a["image"], a["targets"]["red"]["decision"]) == ("a.png", "present")
    assert (b["image"], b["targets"]["red"]["decision"]) == ("b.jpg", "absent")
    assert len(b["targets"]["colour"]["top"]) == 1
    assert (notes["image"], notes["error"]["code"]) == ("notes.jpg", "unreadable_image")
    assert "not an image of a known format" in notes["error"]["message"]


def test_the_heat_map_is_what_each_place_adds_and_its_picture_shows_it(client):
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[:, : SIZE // 2] = (255, 0, 0)  # the left half is red
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")

    answer = client.post("/explain", files={"file": file.getvalue()}, data={"target": "red"})

    assert answer.status_code == 200
    content = answer.json()
    assert (content["target"], content["class"]) == ("red", "absent")  # the logit is 2 * 0.5 - 1
    assert content["probability"] == pytest.approx(0.5, abs=1e-6)
    values = np.array(content["heat_map"]["values"])
    assert values.shape == (content["heat_map"]["height"], content["heat_map"]["width"]) == (SIZE, SIZE)
    assert np.allclose(values[:, : SIZE // 2], -1)
    assert np.allclose(values[:, SIZE // 2 :], 0)
    head, _, data = content["overlay"].partition(",")
    assert head == "data:image/png;base64"
    overlay = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)
    assert overlay.shape == (SIZE, SIZE, 3)
    assert (overlay[:, : SIZE // 2 - 1, 2] > overlay[:, : SIZE // 2 - 1, 0] + 60).all()  # blue: against
    assert np.ptp(overlay[:, SIZE // 2 + 1 :], axis=2).max() == 0  # grey: nothing

    present = client.post("/explain", files={"file": file.getvalue()}, data={"target": "red", "class": "present"})
    assert np.allclose(np.array(present.json()["heat_map"]["values"])[:, : SIZE // 2], 1)


def test_what_pads_a_picture_is_grey_and_no_part_of_the_map_that_is_drawn(client):
    content = picture_of(np.full((SIZE // 2, SIZE, 3), (255, 0, 0), np.uint8))  # twice as wide as high
    answer = client.post("/explain", files={"file": content}, data={"target": "red"}).json()
    data = answer["overlay"].partition(",")[2]
    overlay = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)
    quarter = SIZE // 4
    assert (overlay[:quarter] == PADDING).all()
    assert (overlay[-quarter:] == PADDING).all()
    assert (np.ptp(overlay[quarter:-quarter], axis=2) > 60).all()


def picture_of(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_metadata_names_rules_versions_and_limits(client, bundle):
    import hashlib

    content = client.get("/metadata").json()

    (model,) = content["models"]
    assert model["version"] == hashlib.sha256((bundle / "bundle.json").read_bytes()).hexdigest()[:12]
    assert (model["name"], model["explainable"]) == ("tiny", True)
    assert model["targets"] == {
        "colour": {"kind": "categorical", "classes": ["green", "blue"], "rule": "argmax"},
        "red": {"kind": "binary", "classes": ["absent", "present"], "rule": "expected_f1", "threshold": 0.6},
    }
    assert content["limits"] == {"max_upload_bytes": 2_000_000, "max_batch_images": 64, "max_pixels": 1_000_000}


def test_metrics_count_requests_and_unreadable_images(client, picture):
    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " ")), 0.0)

    answered = 'lacuna_requests_total{method="POST",route="/predict",status="200"}'
    refused = 'lacuna_requests_total{method="POST",route="/predict",status="400"}'
    names = (answered, refused, "lacuna_unreadable_images_total")
    before = [value(name) for name in names]

    client.post("/predict", files={"file": picture()})
    client.post("/predict", files={"file": b"text"})

    assert [value(name) - start for name, start in zip(names, before, strict=True)] == [1, 1, 1]
    assert value("lacuna_queue_images") == 0
    assert client.get("/no/such/address").status_code == 404
    assert "/no/such" not in client.get("/metrics").text  # any client could make up names


@pytest.mark.slow
def test_several_bundles_answer_as_one_and_shared_targets_carry_their_bundle(bundle, tmp_path, picture):
    tied = write_tiny_bundle(tmp_path / "tied", TIED_TARGETS, TIED_CALIBRATION, TIED_PICK, linear=False)

    with running_service(tmp_path, "--bundle", bundle, tied) as service, service.client() as client:
        content = client.post("/predict", files={"file": picture((0, 0, 255))}).json()
        assert content["models"] == ["tiny", "tied"]
        assert {name: target["decision"] for name, target in content["targets"].items()} == {
            "tiny/colour": "blue",
            "red": "absent",
            "tied/colour": "blue",
            "shade": "sky",
        }
        explained = client.post("/explain", files={"file": picture()}, data={"target": "tiny/colour"})
        assert explained.json()["target"] == "tiny/colour"

        refused = client.post("/explain", files={"file": picture()}, data={"target": "shade"})
        assert refused.status_code == 501
        assert refused.json()["explainable"] is False
        assert refused.json()["error"]["code"] == "not_explainable"


@pytest.mark.slow
def test_with_a_precision_asked_for_every_target_says_whether_it_is_sure(bundle, tmp_path, picture):
    with running_service(tmp_path, "--bundle", bundle, "--min-precision", 0.99) as service, service.client() as client:
        targets = client.post("/predict", files={"file": picture()}).json()["targets"]

        assert [target["unsure"] for target in targets.values()] == [True, True]  # 60 labels cannot show 99 %
        assert client.get("/metadata").json()["models"][0]["min_precision"] == 0.99


@pytest.mark.slow
def test_examples_are_listed_and_sent(bundle, tmp_path, picture):
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "red.png").write_bytes(picture())
    (folder / "notes.txt").write_text("no image")

    arguments = ("--bundle", bundle, "--examples", folder)
    with running_service(tmp_path, *arguments) as service, service.client() as client:
        assert client.get("/examples").json() == [{"name": "red.png", "url": "examples/red.png"}]
        image = client.get("/examples/red.png")
        assert (image.headers["content-type"], image.content) == ("image/png", picture())
        assert client.get("/examples/notes.txt").status_code == 404
