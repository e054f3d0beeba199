import numpy as np
import pytest
from PIL import Image

from lacuna.calibration.selection import Selection
from lacuna.core.targets import Target
from lacuna.evaluation.confusion import MOST_CLASSES, MOST_PAIRS, describe_confusions, write_confusions
from lacuna.evaluation.scoring import Scored
from lacuna.io.csv_files import read_csv

LUNGS = Target("lungs", "categorical", ("NORMAL", "PNEUMONIA", "TUBERCULOSIS"))


def scored(target, labels, decisions):
    labels, decisions = np.array(labels), np.array(decisions)
    nothing = np.zeros((len(labels), target.n_classes))
    group = np.arange(len(labels))
    return Scored(
        target,
        labels,
        group,
        nothing[0],
        nothing,
        decisions,
        decisions,
        {},
        {},
        None,
        False,
        Selection.NOT_TOLD,
        nothing[0],
    )


@pytest.fixture
def folders(tmp_path):
    for name in ("matrices", "pairs"):
        (tmp_path / name).mkdir()
    return tmp_path / "matrices", tmp_path / "pairs"


def test_the_commonest_mistakes_are_named_and_unknown_labels_never_count():
    labels = [1] * 60 + [0] * 40 + [2] * 5 + [-1] * 30
    decisions = [0] * 12 + [1] * 48 + [1] * 3 + [0] * 37 + [2] * 5 + [2] * 30
    assert describe_confusions(scored(LUNGS, labels, decisions)) == (
        "lungs: PNEUMONIA is taken for NORMAL in 12 of 60, NORMAL is taken for PNEUMONIA in 3 of 40"
    )
    assert describe_confusions(scored(LUNGS, [0, 1, 2], [0, 1, 2])) == "lungs: no mistake"
    assert describe_confusions(scored(LUNGS, [-1, -1], [0, 1])) == "lungs: no known label"


def test_few_classes_give_a_matrix_and_pairs(folders):
    matrices, pairs = folders
    write_confusions(*folders, [scored(LUNGS, [1, 1, 1, 0, 2, -1], [0, 0, 1, 0, 0, 2])])
    rows = [(row["actual"], row["predicted"]) for row in read_csv(matrices / "lungs.csv")]
    names = LUNGS.classes
    assert rows == [(names[a], names[p]) for a, p in zip([1, 1, 1, 0, 2], [0, 0, 1, 0, 0], strict=True)]
    assert read_csv(pairs / "lungs.csv") == [
        {"pair": "PNEUMONIA → NORMAL", "actual": "PNEUMONIA", "predicted": "NORMAL", "images": "2", "of": "3"},
        {"pair": "TUBERCULOSIS → NORMAL", "actual": "TUBERCULOSIS", "predicted": "NORMAL", "images": "1", "of": "1"},
    ]


def test_many_classes_give_pairs_instead_of_an_unreadable_square(folders):
    matrices, pairs = folders
    n = MOST_CLASSES + 1
    target = Target("type", "categorical", tuple(f"a rather long name of class {number}" for number in range(n)))
    labels = np.repeat(np.arange(n), np.arange(1, n + 1))
    write_confusions(*folders, [scored(target, labels, (labels + 1) % n)])
    assert [path.name for path in matrices.iterdir()] == ["type.png"]
    found = [int(row["images"]) for row in read_csv(pairs / "type.csv")]
    assert found == list(range(n, n - MOST_PAIRS, -1))
    with Image.open(matrices / "type.png") as picture:
        assert picture.width < 1200


def test_binary_targets_have_no_confusion_and_perfect_ones_an_empty_table(folders):
    matrices, pairs = folders
    red = Target("red", "binary", ("absent", "present"))
    write_confusions(*folders, [scored(red, [0, 1], [1, 0]), scored(LUNGS, [0, 1], [0, 1])])
    assert sorted(path.name for path in matrices.iterdir()) == ["lungs.csv", "lungs.png"]
    assert read_csv(pairs / "lungs.csv") == []


def test_without_a_categorical_target_each_folder_holds_a_table_without_rows(folders):
    red = Target("red", "binary", ("absent", "present"))
    write_confusions(*folders, [scored(red, [0, 1], [1, 0])])
    assert [path.read_text() for folder in folders for path in folder.iterdir()] == [
        "actual,predicted\n",
        "pair,actual,predicted,images,of\n",
    ]
