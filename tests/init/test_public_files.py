"""`python -m lacuna init` on label files in the forms of public data sets and of offices, with what pandas counts."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from lacuna.config.params import Params
from tests.random_images import write_images
from tests.xlsx_files import write_xlsx

Init = Callable[..., Params]

NAMES = [f"{k}.png" for k in range(60)]


def write_table(columns: dict[str, list[object]], name: str = "labels.csv", *, index: bool = False) -> None:
    path = Path("photos", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=index)


def test_the_number_of_a_row_is_not_the_image_of_that_number(init: Init) -> None:
    write_images([f"{k}.png" for k in range(120)])
    names = [f"{119 - k}.png" for k in range(60)]
    write_table({"Unnamed: 0": list(range(60)), "image": names, "kind": ["a", "b"] * 30})
    assert init().data.image_column == "image"
    write_table({"n": list(range(60)), "id": list(range(119, 59, -1)), "kind": ["a", "b"] * 30})
    assert init().data.image_column == "id"


def test_classes_are_not_taken_for_images_of_the_same_number(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images([f"{k}.png" for k in range(50)])
    write_table({"emotion": [k % 12 for k in range(240)], "kind": ["a", "b"] * 120})
    init(code=1)
    assert "no column names images, such as '0.png'; its columns: 'emotion', 'kind'" in capsys.readouterr().err


def test_an_index_of_names_without_a_header(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    pd.DataFrame({"kind": ["a", "b", "b"] * 20}, index=NAMES).to_csv("photos/labels.csv")
    assert init().data.image_column == ""
    assert "kind    categorical     60        0  b 40, a 20" in capsys.readouterr().out


def test_labels_for_a_hundred_times_the_images(init: Init) -> None:
    write_images([f"{k}.png" for k in range(3000, 3060)])
    write_table({"image": [f"{k}.png" for k in range(6000)], "kind": ["a", "b"] * 3000})
    assert init().data.labels_without_images == "ignore"


def test_a_row_for_each_finding_is_a_list(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    rows = [(name, found) for k, name in enumerate(NAMES) for found in (("No finding",), ("cyst", "scar"))[k % 2]]
    rows += [(NAMES[k], "clot") for k in range(1, 60, 4)]
    columns = {"image": [row[0] for row in rows], "found": [row[1] for row in rows]}
    write_table({**columns, "rad_id": [f"R{k % 3}" for k in range(len(rows))]})
    data = init().data
    assert (data.kinds, data.tags.none) == ({"found": "tags"}, ("No finding",))
    said = capsys.readouterr().out
    counts = pd.DataFrame(columns).drop_duplicates().found.value_counts()
    for tag in ("clot", "cyst", "scar"):
        assert f"{tag}    binary     60        0  present {counts[tag]}, absent {60 - counts[tag]}" in said
    assert init("--set", "targets.found.kind=categorical", code=1)


def test_several_annotators_are_merged_and_their_names_left_out(init: Init) -> None:
    write_images(NAMES)
    names = [name for name in NAMES for _ in range(3)]
    kinds = ["a" if k < 90 or k % 31 == 0 else "b" for k in range(180)]
    write_table({"image": names, "annotator": ["anna", "bert", "carl"] * 60, "kind": kinds})
    assert init().data.kinds == {"kind": "categorical"}


def test_numbers_mostly_alone_are_lists(init: Init) -> None:
    write_images(NAMES)
    cells = ["0", "5", "12", "14", "0 5", "16", "12 14", "16 0", "5", "14"] * 6
    write_table({"image": NAMES, "Target": cells})
    data = init().data
    assert (data.kinds, data.tags.separator) == ({"Target": "tags"}, "")


def test_marks_are_present_and_empty_cells_absent(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    write_table({"image": NAMES, "crack": ["x", "", ""] * 20, "kind": ["x", "y"] * 30})
    data = init().data
    assert (data.column("crack").negative, data.kinds["kind"]) == (("",), "categorical")
    said = capsys.readouterr().out
    assert "present 20, absent 40" in said
    assert "Otherwise: python -m lacuna init photos --set data.targets.crack=" in said
    assert list(init("--set", "data.targets.crack=").data.targets) == ["kind"]


@pytest.mark.parametrize(("yes", "no"), [("Ja", "Nein"), ("oui", "non"), ("Sí", "No"), ("да", "нет"), ("T", "F")])
def test_present_and_absent_in_other_languages(init: Init, yes: str, no: str) -> None:
    write_images(NAMES)
    write_table({"image": NAMES, "torn": [yes, no, "Weiß nicht"] * 20})
    data = init().data
    assert data.kinds == {"torn": "binary"}
    assert (yes in data.positive, no in data.negative, "Weiß nicht" in data.unknown) == (True, True, True)


def test_one_hot_words_of_another_language(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    write_table({"image": NAMES, **{c: ["J" if k % 3 == n else "N" for k in range(60)] for n, c in enumerate("abc")}})
    assert init().data.column("class").column == ("a", "b", "c")
    assert "class   categorical     60        0  a 20, b 20, c 20" in capsys.readouterr().out


def test_what_is_no_target(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    write_table(
        {
            "image": NAMES,
            "kind": ["a", "b"] * 30,
            "Age": [20 + k % 30 for k in range(60)],
            "Wert": [f"{k % 7},{k % 3}" for k in range(60)],
            "day": [f"2024-01-0{1 + k % 5}" for k in range(60)],
            "mail": [f"{'abc'[k % 3]}@x.org" for k in range(60)],
            "usage": [("Training", "PublicTest")[k % 4 // 3] for k in range(60)],
            "fold": [k % 5 for k in range(60)],
            "who": [f"n{k // 3}" for k in range(60)],
        }
    )
    assert init().data.kinds == {"kind": "categorical"}
    said = capsys.readouterr().out
    for reason in (
        "'Age': numbers",
        "'Wert': numbers",
        "'day': dates",
        "'mail': addresses",
        "'usage': reads like a split",
        "'fold': reads like a split",
        "'who': 0 of 20 words have 5 images or more",
    ):
        assert f"not a target: {reason}" in said


def test_lists_of_two_kinds_are_not_read_by_one_separator(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    write_table({"image": NAMES, "a": ["p|q", "p", "q"] * 20, "b": ["r;s", "r", "s", "r;s;t", "t"] * 12})
    assert init().data.kinds == {"a": "tags"}
    assert "not a target: 'b': lists, but not between '|' as in another column" in capsys.readouterr().out


def test_the_advice_for_uncertain_labels_works(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    write_table({"image": NAMES, "Edema/x": ["1.0", "0.0", "-1.0", ""] * 15})
    init()
    told = next(line for line in capsys.readouterr().out.splitlines() if "-1 is unknown" in line)
    data = init("--set", told.split("--set ")[1].strip("'")).data
    assert data.column("Edema_x").positive == ("1.0", "-1.0")
    assert "present 30, absent 15" in capsys.readouterr().out


def test_titles_above_the_header_and_several_sheets(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    rows = [["Bild", "Zustand"], *([name, ("gut", "defekt", "gut")[k % 3]] for k, name in enumerate(NAMES))]
    write_xlsx(Path("photos/t.xlsx"), {"Info": [["by", "Anna"]], "Labels": [["Survey of May"], [None], *rows]})
    data = init().data
    assert (data.sheet, data.image_column) == ("Labels", "Bild")
    assert "gut 40, defekt 20" in capsys.readouterr().out
    Path("photos/t.xlsx").unlink()
    Path("photos/t.csv").write_text("Survey of May;\n;\n" + "".join(f"{a};{b}\n" for a, b in rows))
    assert init().data.image_column == "Bild"
    assert "gut 40, defekt 20" in capsys.readouterr().out


def test_class_folders_in_the_folder_of_an_archive(init: Init) -> None:
    write_images(
        [f"pets/{part}/{kind}/{k}.png" for part in ("train", "test") for kind in ("cat", "dog") for k in range(9)]
    )
    data = init().data
    assert (data.source, data.path, data.labels) == ("folders", "photos/pets", "photos/pets")


def test_a_text_of_names_and_words(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    Path("photos/train.txt").write_text("".join(f"{name} {k % 3}\n" for k, name in enumerate(NAMES)))
    assert init().data.kinds == {"attribute_1": "categorical"}
    assert "0 20, 1 20, 2 20" in capsys.readouterr().out


def test_a_column_of_bytes_does_not_hide_the_others(init: Init) -> None:
    write_images(NAMES)
    frame = pd.DataFrame({"image": NAMES, "kind": ["a", "b"] * 30, "picture": [b"\xff"] * 60})
    frame.to_parquet("photos/t.parquet")
    assert init().data.kinds == {"kind": "categorical"}


def test_lists_as_json_has_them(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(NAMES)
    lists = [["a", "b"], ["a"], ["a", "c"]] * 20
    records = [{"image": name, "tags": tags} for name, tags in zip(NAMES, lists, strict=True)]
    Path("photos/t.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    assert init().data.kinds == {"tags": "tags"}
    said = capsys.readouterr().out
    assert "'a' stands in every row and is no target" in said
    assert "b       binary     60        0  present 20, absent 40" in said


def test_pairs_of_eyes_without_a_column_that_joins_them_are_joined_by_name(
    init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{k}_{side}.png" for k in range(30) for side in ("left", "right")]
    write_images(names)
    write_table({"image": names, "level": [k % 3 for k in range(60)]})
    assert "(?P<group>" in init().data.name_pattern
    assert "images come in pairs of left and right, such as '0_left.png': both stay in one" in capsys.readouterr().out


def test_columns_that_no_target_can_be_called_like(init: Init) -> None:
    write_images(NAMES)
    write_table(
        {"image": NAMES, "group": ["a", "b"] * 30, "ä" * 90: ["a", "a", "b"] * 20, "x.y": ["a"] * 20 + ["b"] * 40}
    )
    data = init().data
    assert [data.column(name).column for name in data.targets] == ["group", "ä" * 90, "x.y"]
    assert list(data.targets) == ["group_", "ä" * 45, "x_y"]


def test_a_table_with_ten_thousands_of_columns_ends_with_a_clear_answer(
    init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(NAMES)
    header = ",".join(["image", *(f"c{k}" for k in range(100_000))])
    Path("photos/labels.csv").write_text(header + "\n" + "".join(f"{n}{',1' * 100_000}\n" for n in NAMES[:3]))
    init(code=1)
    said = capsys.readouterr().err
    assert "photos/labels.csv: 100001 columns, more than the 10000 that are looked through; expected a row for" in said
    assert len(said) < 700


def test_of_many_columns_only_the_first_are_told_to_be_no_target(
    init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(NAMES)
    write_table({"image": NAMES, "kind": ["a", "b"] * 30, **{f"c{k}": [1] * 60 for k in range(70)}})
    init()
    said = capsys.readouterr().out
    assert said.count("says only '1'") == 50
    assert "not a target: 20 more columns\n" in said
