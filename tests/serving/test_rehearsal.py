"""Bundles that are whole by every hash and cannot answer: they are refused before the first request."""

import asyncio
import contextlib
import copy
import json

import numpy as np
import pytest

from lacuna.errors import LacunaError
from lacuna.inference.bundle import read_bundle
from lacuna.serving.engine import Engine
from lacuna.serving.metrics import ServiceMetrics
from lacuna.serving.rehearsal import load_rehearsed
from lacuna.serving.settings import Settings
from tests.doctored_bundle import doctor_arrays, doctor_description, doctor_layout
from tests.ood_bundle import write_ood_bundle


@pytest.fixture(scope="module")
def with_detector(tmp_path_factory):
    return write_ood_bundle(tmp_path_factory.mktemp("ood") / "bundle")


def of_red(content):
    return content["calibration"]["targets"]["red"]


def refused(folder, message, **settings):
    with pytest.raises(LacunaError, match=message) as caught:
        load_rehearsed(Settings((folder,), **settings))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: of_red(c)["parameters"].update(scale=float("nan")), "NaN is no finite number"),
        (lambda c: of_red(c)["parameters"].update(bias=["much"]), r"red\.parameters\.bias\.0: .* valid number"),
        (lambda c: of_red(c).update(threshold="high"), r"red\.threshold: .* valid number"),
        (lambda c: of_red(c).update(threshold=1.5), r"red\.threshold: .* less than or equal to 1"),
        (lambda c: of_red(c)["parameters"].update(bias=[0.0, 0.0]), "calibration does not fit the target red"),
        (lambda c: c["targets"][0].update(classes=[1, 2]), r"targets\.0\.classes\.0: .* valid string"),
        (lambda c: c["targets"][0].update(classes=["a", "b", "c"]), "calibration does not fit the target colour"),
        (lambda c: c["training_counts"].update(red=[1]), "a count for each class"),
        (lambda c: c.pop("metrics"), "metrics: Field required"),
        (lambda c: c["metrics"].update(test=[]), r"metrics\.test: .* valid dict"),
        (lambda c: c["metrics"]["test"].update(f1=float("inf")), "Infinity is no finite number"),
        (lambda c: c.pop("origin"), "origin: Field required"),
    ],
)
def test_a_description_that_no_answer_can_be_made_of(bundle, tmp_path, change, message):
    refused(doctor_description(bundle, tmp_path / "b", change), message)


def test_a_target_without_a_slope_is_served(bundle, tmp_path):
    folder = doctor_description(bundle, tmp_path / "b", lambda c: of_red(c)["parameters"].update(scale=0.0))
    assert load_rehearsed(Settings((folder,)))


def test_a_number_too_large_for_floats(bundle, tmp_path):
    folder = doctor_description(bundle, tmp_path / "b", lambda c: of_red(c)["parameters"].update(scale=12345.0))
    path = folder / "bundle.json"
    path.write_text(path.read_text().replace("12345.0", "1e999"))
    refused(folder, "1e999 is no finite number")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"weights": np.zeros((3, 2)), "bias": np.zeros(2)}, "not the linear head of this network"),
        (lambda a: {"weights": a["weights"][:2]}, "shapes or values"),
        (lambda a: {"weights": a["weights"] * np.nan}, "shapes or values"),
        (lambda a: {"scale": a["scale"] * 0}, "shapes or values"),
    ],
)
def test_a_head_of_another_network(bundle, tmp_path, change, message):
    refused(doctor_arrays(bundle, tmp_path / "b", "head.npz", change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"mean": np.zeros(5), "axes": np.eye(5), "scales": np.ones(5)}, "of 5 features, the network has 3"),
        (lambda a: {"threshold": np.nan}, "impossible statistics"),
        (lambda a: {"axes": a["axes"].T[:1]}, "impossible statistics"),
        (lambda a: {"rates": a["rates"][:2]}, "damaged, ValueError"),
    ],
)
def test_a_detector_of_another_network(with_detector, tmp_path, change, message):
    refused(doctor_arrays(with_detector, tmp_path / "b", "out_of_distribution.npz", change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"logits": a["logits"][:, :2]}, "not the predictions of these targets"),
        (lambda a: {"labels": a["labels"] + 7}, "not the predictions of these targets"),
        (lambda a: {"labels": a["labels"].astype(float)}, "not the predictions of these targets"),
        (lambda a: {"image": a["labels"][:, 0]}, "not the predictions of these targets"),
        (lambda a: {"logits": a["logits"] * np.inf}, "not finite"),
    ],
)
def test_test_predictions_that_promises_cannot_rest_on(bundle, tmp_path, change, message):
    refused(doctor_arrays(bundle, tmp_path / "b", "test.npz", change), message, min_precision=0.6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda blocks: blocks[0].update(channels=4), "expected a network of 4 features"),
        (lambda blocks: blocks[0].update(channels="3"), r"blocks\.0\.channels: .* valid integer"),
        (lambda blocks: blocks[0].update(top=False), "no block is the last map's"),
        (lambda blocks: blocks.clear(), "blocks: List should have at least 1"),
        (lambda blocks: blocks[0].update(stage="elsewhere"), "the model cannot answer"),
    ],
)
def test_a_layout_of_another_network(bundle, tmp_path, change, message):
    refused(doctor_layout(bundle, tmp_path / "b", change), message)


def leaves(content, path=()):
    """The place of each value in a JSON content, those that hold others too."""
    children = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from leaves(child, (*path, key))


def test_whatever_is_put_in_the_place_of_a_value_it_is_refused_or_answers(bundle, tmp_path):
    original = json.loads((bundle / "bundle.json").read_text())
    folder = doctor_description(bundle, tmp_path / "b", lambda content: None)
    answering = []
    for *path, last in leaves(original):
        for value in (None, "x", -1, 1e300, True, [], {"x": 1}):
            content = copy.deepcopy(original)
            place = content
            for key in path:
                place = place[key]
            place[last] = value
            (folder / "bundle.json").write_text(json.dumps(content))
            with contextlib.suppress(LacunaError):
                read_bundle(folder, "openvino")
                answering.append((*path, last))
                if isinstance(value, float | int):
                    load_rehearsed(Settings((folder,)))
    assert ("metrics",) not in answering
    assert ("networks", 0, "backbone") in answering


def test_a_reload_that_cannot_answer_leaves_the_old_model(bundle, tmp_path, picture, caplog):
    doctored = doctor_layout(bundle, tmp_path / "b", lambda blocks: blocks[0].update(stage="elsewhere"))
    metrics = ServiceMetrics()

    async def reload():
        engine = Engine(Settings((doctored,)), load_rehearsed(Settings((bundle,))), metrics)
        try:
            await engine.reload()
            (answer,) = await engine.predict([picture((0, 255, 0))])
            return answer.targets["colour"].decision
        finally:
            engine.close()

    assert asyncio.run(reload()) == "green"
    assert b'lacuna_reloads_total{result="refused"} 1.0' in metrics.text()
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "the model cannot answer" in line
    assert "still serving tiny" in line
