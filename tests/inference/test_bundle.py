import json
import shutil
from dataclasses import replace

import pytest

from lacuna.calibration.model import Calibration
from lacuna.core.predictions import Predictions
from lacuna.errors import LacunaError
from lacuna.inference import bundle as bundle_module
from lacuna.inference.bundle import bundle_files, check_files, read_bundle, read_predictions, write_bundle
from lacuna.inference.runtimes import EXACT_RUNTIMES, RUNTIMES
from lacuna.io.atomic import sha256
from tests.tiny_bundle import BUNDLE, FILES, TIED_CALIBRATION, TIED_PICK, TIED_TARGETS, write_tiny_bundle


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "bundle")


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "bundle")


def edit(folder, change):
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("runtime", EXACT_RUNTIMES)
def test_a_bundle_is_read_as_it_was_written(folder, runtime):
    assert read_bundle(folder, runtime) == BUNDLE


def test_relations_between_targets_are_part_of_it_and_must_fit(tmp_path):
    folder = write_tiny_bundle(tmp_path / "tied", TIED_TARGETS, TIED_CALIBRATION, TIED_PICK)
    assert read_bundle(folder, "onnx").calibration == TIED_CALIBRATION
    edit(folder, lambda content: content["calibration"]["relations"][0].update(child="nobody"))
    with pytest.raises(LacunaError, match=r"damaged, .*relation nobody → colour does not fit"):
        read_bundle(folder, "onnx")


def test_the_same_content_gives_the_same_bytes(original, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    predictions = {part: original / f"{part}.npz" for part in ("validation", "test")}
    bundle = read_bundle(original, "onnx")
    write_bundle(
        again, bundle, exported=[original], predictions=predictions, origin={"versions": {}}, metrics={"test": {}}
    )
    for path in original.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_a_runtime_needs_only_its_own_files(folder):
    (folder / "model.onnx").unlink()
    read_bundle(folder, "openvino")
    with pytest.raises(LacunaError, match=r"model\.onnx: no such file"):
        read_bundle(folder, "onnx")


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found(folder, name):
    runtime = next((found for found, runtime in RUNTIMES.items() if name in runtime.files), "onnx")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(LacunaError, match=rf"{name}: not the file that bundle\.json was written for"):
        read_bundle(folder, runtime)


def test_every_file_is_checked_when_all_are_asked_for(folder):
    check_files(folder)
    assert set(bundle_files(folder)) == {*FILES, "validation.npz", "test.npz"}
    (folder / "test.npz").write_bytes(b"damaged")
    read_bundle(folder, "openvino")
    with pytest.raises(LacunaError, match=r"test\.npz: not the file"):
        check_files(folder)


def test_the_card_is_one_of_the_files_and_no_prediction_needs_it(original, tmp_path):
    predictions = {part: original / f"{part}.npz" for part in ("validation", "test")}
    described = tmp_path / "described"
    described.mkdir()
    write_bundle(
        described, BUNDLE, exported=[original], predictions=predictions, origin={}, metrics={}, card="# A card\n"
    )
    assert (described / "README.md").read_text() == "# A card\n"
    check_files(described)
    assert "README.md" in bundle_files(described)
    (described / "README.md").write_text("# Another card\n")
    read_bundle(described, "onnx")
    with pytest.raises(LacunaError, match=r"README\.md: not the file"):
        check_files(described)


def test_a_runtime_without_a_network_is_named_with_what_to_do(folder):
    with pytest.raises(LacunaError, match=r"no network for openvino-int8; set export\.int8 in params\.yaml"):
        read_bundle(folder, "openvino-int8")
    with pytest.raises(LacunaError, match="no network for keras"):
        read_bundle(folder, "keras")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format_version=1), "bundle of format 1, this Lacuna reads 5"),
        (lambda c: c.pop("format_version"), "damaged, no format_version"),
        (lambda c: c.pop("targets"), "damaged, targets: Field required"),
        (lambda c: c.update(targets="red"), "damaged"),
        (
            lambda c: c.update(targets=[{"name": "a.b", "kind": "binary", "classes": ["0", "1"]}]),
            "damaged, target name 'a.b'",
        ),
        (lambda c: c.update(calibration=None), "damaged"),
        (lambda c: c["calibration"]["targets"].pop("red"), "damaged, .*calibration does not fit the target red"),
        (lambda c: c["calibration"].update(version=99), "damaged, .*calibration of format 99"),
        (
            lambda c: c["networks"][0]["input"].update(image_size=100_000),
            r"damaged, networks\.0\.input\.image_size: .* 1024",
        ),
        (lambda c: c["networks"][0]["input"].update(image_size="32"), r"networks\.0\.input\.image_size: .* integer"),
        (
            lambda c: c["networks"][0]["input"].update(max_pixels=0),
            r"networks\.0\.input\.max_pixels: .* greater than 0",
        ),
        (lambda c: c["networks"][0]["input"].update(max_pixels=True), r"networks\.0\.input\.max_pixels: .* integer"),
        (lambda c: c["networks"][0]["input"].update(resize="crop"), r"networks\.0\.input\.resize: .* 'pad'"),
        (lambda c: c["networks"][0]["input"].update(extra=1), r"networks\.0\.input\.extra: "),
        (lambda c: c["networks"][0].update(folder="../elsewhere"), r"networks\.0\.folder: "),
        (lambda c: c.update(networks=[]), "damaged, networks: List should have at least 1"),
        (lambda c: c["networks"][0]["files"].pop("model.bin"), "this bundle holds no network for openvino"),
        (lambda c: c["networks"][0]["files"].update({"../x": "0" * 64}), r"damaged, names a file '\.\./x'"),
        (lambda c: c["predictions"].update({"/etc/passwd": "0" * 64}), "damaged, names a file '/etc/passwd'"),
        (lambda c: c.pop("predictions"), "damaged, predictions: Field required"),
        (lambda c: c["networks"][0]["files"].update({"model.bin": None}), r"networks\.0\.files\.model\.bin: "),
    ],
)
def test_a_description_that_makes_no_sense_ends_in_one_line(folder, change, message):
    edit(folder, change)
    with pytest.raises(LacunaError, match=message) as caught:
        read_bundle(folder, "openvino")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_bundle_of_the_format_before_says_what_to_do(folder):
    edit(folder, lambda content: content.update(format_version=4))
    for read in (lambda: read_bundle(folder, "onnx"), lambda: check_files(folder), lambda: read_predictions(folder)):
        with pytest.raises(LacunaError) as caught:
            read()
        assert str(caught.value) == (
            f"{folder}/bundle.json: bundle of format 4, this Lacuna reads 5; "
            "make it again by `dvc repro bundle` in its project, or use the version of Lacuna that made it"
        )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_description_that_is_no_json_object_ends_in_one_line(folder, content):
    (folder / "bundle.json").write_bytes(content)
    with pytest.raises(LacunaError, match=r"bundle\.json: damaged"):
        read_bundle(folder, "openvino")


def test_a_missing_bundle_says_how_to_make_one(tmp_path):
    with pytest.raises(LacunaError, match="no such file; make the bundle by `dvc repro`, or name its folder"):
        read_bundle(tmp_path / "nowhere", "openvino")


def test_files_larger_than_any_model_are_not_read(folder, monkeypatch):
    monkeypatch.setattr(bundle_module, "MAX_MODEL_BYTES", 10)
    with pytest.raises(LacunaError, match="expected at most 10 bytes"):
        read_bundle(folder, "openvino")
    monkeypatch.setattr(bundle_module, "MAX_DESCRIPTION_BYTES", 10)
    with pytest.raises(LacunaError, match=r"bundle\.json: expected at most 10 bytes"):
        read_bundle(folder, "openvino")


def test_a_calibration_of_other_targets_is_not_bundled(original, tmp_path):
    wrong = replace(BUNDLE, calibration=Calibration({}))
    with pytest.raises(LacunaError, match="calibration does not fit the target colour"):
        write_bundle(tmp_path, wrong, exported=[original], predictions={}, origin={}, metrics={})


def test_the_predictions_of_a_bundle_are_checked_too(folder):
    parts = read_predictions(folder)
    assert all(isinstance(part, Predictions) and len(part) == 60 for part in parts.values())
    shutil.copyfile(folder / "test.npz", folder / "validation.npz")
    with pytest.raises(LacunaError, match=r"validation\.npz: not the file that bundle\.json was written for"):
        read_predictions(folder)


def test_the_hash_is_the_one_that_sha256sum_prints(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
