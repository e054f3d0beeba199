"""No cell of a table for people is a formula, and each comes back as it was: by every way that reads such a table."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lacuna.analysis.audit.tables import write_to_label_test
from lacuna.config.params import Params
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Target, Targets
from lacuna.data.labels.corrections import encode_corrected
from lacuna.data.labels.join import join_labels
from lacuna.data.labels.sources import read_labels
from lacuna.inference.image_inputs import find_images
from lacuna.inference.output_files import prediction_file
from lacuna.inference.prediction import Prediction, TargetPrediction
from lacuna.io.csv_files import read_csv
from lacuna.io.spreadsheets import escaped, read_sheet, unescaped, write_sheet
from lacuna.labelling.import_labels import _append

SIGNS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
NAMES = [
    *("=1+1.jpg", "-5.jpg", "@SUM(A1).png", "\uff1d1.png", "'=1.png", "it's.png", "'quoted'.png", "+c.png"),
    *("a.png", "b.png", "c.png", "plain.png"),
]
CLASSES = ("'+", "+", "-1", "=yes()")
TARGETS = Targets((Target("kind", "categorical", CLASSES),))

texts = st.text(st.sampled_from(SIGNS + "'1.e, \"a"), max_size=8)


@given(texts)
def test_no_cell_is_a_formula_and_each_comes_back(text: str) -> None:
    shown = escaped(text)
    assert shown[:1] not in SIGNS or shown == "" or float(shown) is not None  # float() raises at what is no number
    assert unescaped(shown) == text


@pytest.mark.parametrize("number", ["-1", "+3.5", "-.5e-7", "-0", "1e5", "+1."])
def test_numbers_stay_numbers(number: str) -> None:
    assert escaped(number) == number
    assert escaped(-3) == -3
    assert escaped(None) is None


@pytest.mark.parametrize("text", ["-1+1", "+1 2", "-", "--1", "-inf", "+٣", "-1\n", "=1"])
def test_what_only_looks_like_a_number_does_not(text: str) -> None:
    assert escaped(text) == f"'{text}"


@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_a_table_comes_back_header_and_all(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("sheet") / "table.csv"
    write_sheet(path, ("image", "=target"), rows)
    assert [tuple(row.values()) for row in read_sheet(path)] == rows
    write_sheet(path, ("image", "=target"), rows, escapes=False)
    assert [tuple(row.values()) for row in read_csv(path)] == rows


@pytest.fixture
def params(tiny_project: object) -> Params:
    """A project whose labels name NAMES by themselves, each of one of CLASSES, the last unknown."""
    words = [*CLASSES, *CLASSES, *CLASSES[:3], "NA"]
    write_sheet(Path("labels.csv"), ("image", "kind"), list(zip(NAMES, words, strict=True)))
    changes = {"data.labels": "labels.csv", "data.targets": {"kind": "categorical"}, "data.group_column": ""}
    few = {"data.min_class_count": 1, "data.corrections": "corrections/mine.csv"}
    return tiny_project({**changes, **few})  # type: ignore[operator, no-any-return]


def encode(params: Params) -> list[str]:
    """The class of each of NAMES, as prepare reads it."""
    table = read_labels(params.data, NAMES)
    encoded, _ = encode_corrected(table, join_labels(table, NAMES, {}, params.data), params.data, NAMES)
    return [encoded.targets[0].classes[index] for index in encoded.labels[:, 0]]


@pytest.mark.parametrize("escapes", [True, False])
def test_what_the_audit_lists_comes_back_as_corrections(params: Params, escapes: bool) -> None:
    n = len(NAMES)
    rows, unknown = np.arange(n), np.full((n, 1), -1, dtype=np.int16)
    whole = Manifest(np.array(NAMES), rows, np.array(["test"] * n), rows, unknown)
    Path("corrections").mkdir()
    listed = Path("corrections/mine.csv")
    write_to_label_test(listed, whole, TARGETS, 0, escapes)
    assert ("\n'=1+1.jpg,kind,NA,,test\n" in listed.read_text(encoding="utf-8")) == escapes
    header, *lines = listed.read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if "plain.png" in line]
    _, target, given, _, split = line.split(",")
    assert len(lines) == n
    listed.write_text(f"{header}\nplain.png,{target},{given},{escaped('=yes()')},{split}\n", encoding="utf-8")
    _append(listed, [("=1+1.jpg", "kind", "'+", "-1"), ("-5.jpg", "kind", "+", "'+")])
    assert "'=1+1.jpg,kind,''+,-1\n'-5.jpg,kind,'+,''+\n" in listed.read_text(encoding="utf-8")

    assert encode(params) == ["-1", "'+", *(CLASSES * 3)[2:]]


def test_labels_by_hand_find_images_whose_names_do_begin_with_an_apostrophe(params: Params) -> None:
    Path("corrections").mkdir()
    Path("corrections/mine.csv").write_text("image,target,given,corrected\n")
    lines = "".join(f'"{name}",c{number}\n' for number, name in enumerate(NAMES))
    Path("labels.csv").write_text(f"image,kind\n{lines}", encoding="utf-8")
    assert encode(params) == [f"c{number}" for number in range(len(NAMES))]


def test_a_file_of_predictions_comes_back_as_labels_and_as_a_list(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for raw in (False, True):
        with prediction_file(Path("labels.csv"), TARGETS, raw) as write:
            for name, decided in zip(NAMES, CLASSES * 3, strict=True):
                shares = {label: float(label == decided) for label in CLASSES}
                write(Prediction(name, {"kind": TargetPrediction("categorical", decided, None, None, shares)}))
        first = Path("labels.csv").read_text(encoding="utf-8").splitlines()[1]
        assert first.startswith("=1+1.jpg,,,'+," if raw else "'=1+1.jpg,,,''+,")
        if raw:
            break
        Path("corrections").mkdir()
        Path("corrections/mine.csv").write_text("image,target,given,corrected\n")
        assert encode(params) == list(CLASSES * 3)
        for name in NAMES:
            Image.new("RGB", (2, 2)).save(name.replace(".jpg", ".png"))
            Path(name.replace(".jpg", ".png")).rename(name)
        assert [str(path) for path in find_images(["labels.csv"])] == NAMES
