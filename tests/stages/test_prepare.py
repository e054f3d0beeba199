"""The prepare stage: what it writes for good labels, and what it says and leaves for bad ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.core.manifest import Manifest
from lacuna.core.relations import load_relations
from lacuna.core.targets import TOO_RARE, Targets
from lacuna.io.atomic import read_json
from lacuna.io.csv_files import read_csv, write_csv
from stages.prepare import prepare
from tests.stages.prepare_inputs import CHANGES, N, good_rows, write_ingested, write_labels


@pytest.fixture
def ingested(tmp_path: Path) -> None:
    write_ingested(tmp_path / "data/images")


@pytest.mark.usefixtures("ingested")
class TestOutputs:
    def test_manifest_targets_and_weights(self, tiny_project: Any, capsys: Any) -> None:
        params = tiny_project({**CHANGES, "class_weights.scheme": "balanced"})
        write_labels(good_rows())
        prepare(params)
        targets = Targets.load(Path("data/prepared/targets.json"))
        assert [(target.name, target.classes) for target in targets] == [
            ("red", ("absent", "present")),
            ("kind", ("boot", "hat", "shoe")),
        ]
        manifest = Manifest.load(Path("data/prepared/manifest.csv"), targets)
        assert manifest.row.tolist() == list(range(N))
        assert manifest.image[33] == "33.png"
        assert manifest.labels[:4].tolist() == [[-1, 0], [0, 2], [0, 1], [1, 0]]
        assert manifest.group[:3].tolist() == [0, 0, 2]
        assert manifest.split[0] == manifest.split[1]
        assert abs(len(manifest.part("train")) - 36) <= 2
        weights = read_json(Path("data/prepared/class_weights.json"))["red"]
        train = manifest.part("train").labels[:, 0]
        assert weights["counts"] == [int((train == 0).sum()), int((train == 1).sum())]
        assert weights["known_share"] == pytest.approx((train >= 0).mean())
        assert np.dot(weights["weights"], weights["counts"]) == pytest.approx(sum(weights["counts"]))
        assert weights["weights"][1] > weights["weights"][0]
        printed = capsys.readouterr().out
        assert "red" in printed
        assert "warning: kind: fewer than 10 known images in val" in printed

    def test_metrics_count_what_is_wrong_with_the_labels(self, tiny_project: Any, capsys: Any) -> None:
        rows = good_rows()
        rows[0][1], rows[1][1] = "1", "0"  # duplicates that disagree
        rows[2][2] = "glove"  # a class with one member
        rows.append(["05.png", str(1 - int(rows[5][1])), rows[5][2]])  # one image twice, with different labels
        rows.append(["gone.png", "1", "boot"])
        rows.append(["bad.png", "1", "boot"])
        rows.append(["left.png", "1", "boot"])
        write_labels(rows)
        with open("labels.csv", "a", encoding="utf-8") as file:
            file.write("03.png,1,boot, brown\n")
        prepare(tiny_project(CHANGES))
        metrics = read_json(Path("metrics/prepare.json"))
        assert metrics["images"] == N
        assert metrics["groups"] == N - 1
        assert metrics["rows_without_image"] == 2
        assert metrics["rows_malformed"] == 1
        assert metrics["rows_repeated"] == 1
        assert metrics["rows_left_out"] == 1
        red, kind = metrics["targets"]["red"], metrics["targets"]["kind"]
        assert (red["contradicting_images"], red["conflicting_duplicates"]) == (1, 1)
        assert (kind["rare_classes"], kind["rare_images"]) == (1, 1)
        assert red["known"] + red["unknown"] == N
        assert kind["known"] + kind["unknown"] + kind["rare_images"] == N
        assert red["known_share"] == round(red["known"] / N, 4)
        assert sum(sum(red[part].values()) for part in ("train", "val", "test")) == red["known"]
        printed = capsys.readouterr().out
        assert "warning: 1 lines are skipped (line 66): data/prepared/dropped.csv" in printed
        assert "warning: 2 label rows have no usable image (lines 63, 64): data/prepared/dropped.csv" in printed
        assert "warning: 1 label rows repeat an image, merged (line 62)" in printed
        assert "warning: 1 images have contradicting labels of red, now unknown (line 62)" in printed
        assert "warning: 1 groups of duplicates have conflicting labels of red, kept" in printed
        assert "warning: 1 classes of kind have fewer than 5 images, left out of it: 1 images" in printed
        assert read_csv(Path("data/prepared/dropped.csv")) == [
            {"line": "63", "image": "gone.png", "reason": "no such image"},
            {"line": "64", "image": "bad.png", "reason": "truncated image"},
            {"line": "66", "image": "", "reason": "4 cells, the header has 3"},
        ]
        manifest = Manifest.load(Path("data/prepared/manifest.csv"), Targets.load(Path("data/prepared/targets.json")))
        assert manifest.labels[5, 0] == -1
        assert manifest.labels[2, 1] == TOO_RARE

    def test_corrected_labels_are_counted_and_said(self, tiny_project: Any, capsys: Any) -> None:
        write_labels(good_rows())
        Path("corrections").mkdir()
        rows = [("01.png", "red", "absent", "present"), ("02.png", "kind", "hat", "NA"), ("03.png", "kind", "boot", "")]
        write_csv(Path("corrections/mine.csv"), ("image", "target", "given", "corrected"), rows)
        prepare(tiny_project(CHANGES | {"data.corrections": "corrections/mine.csv"}))
        manifest = read_csv(Path("data/prepared/manifest.csv"))
        assert [(row["red"], row["kind"]) for row in manifest[1:4]] == [("1", "2"), ("0", "-1"), ("1", "0")]
        metrics = read_json(Path("metrics/prepare.json"))
        assert metrics["labels_corrected"] == 2
        assert [metrics["targets"][name]["corrected"] for name in ("red", "kind")] == [1, 1]
        assert "\n2 labels corrected by corrections/mine.csv: red 1, kind 1\n" in capsys.readouterr().out

    def test_small_classes_may_be_one_class(self, tiny_project: Any, capsys: Any) -> None:
        rows = good_rows()
        for number in range(6):
            rows[number][2] = f"rare {number % 2}"
        write_labels(rows)
        prepare(tiny_project(CHANGES | {"data.rare_classes": "other"}))
        assert "warning: 2 classes of kind have fewer than 5 images, now of class other: 6 images" in (
            capsys.readouterr().out
        )
        kind = read_json(Path("metrics/prepare.json"))["targets"]["kind"]
        assert (kind["rare_classes"], kind["rare_images"], kind["unknown"]) == (2, 6, 0)
        assert sum(kind[part]["other"] for part in ("train", "val", "test")) == 6

    def test_a_given_split_is_kept_and_groups_across_it_are_counted(self, tiny_project: Any) -> None:
        parts = ["train"] * 40 + ["val"] * 10 + ["test"] * 10
        parts[1] = "test"  # its duplicate, image 0, is in train
        rows = [[*row, part] for row, part in zip(good_rows(), parts, strict=True)]
        write_labels(rows, ("image", "red", "kind", "part"))
        prepare(tiny_project(CHANGES | {"data.split_column": "part"}))
        assert [line["split"] for line in read_csv(Path("data/prepared/manifest.csv"))] == parts
        assert read_json(Path("metrics/prepare.json"))["groups_across_splits"] == 1

    def test_images_without_labels_are_counted_only(self, tiny_project: Any) -> None:
        write_labels(good_rows()[5:])
        prepare(tiny_project(CHANGES))
        assert read_json(Path("metrics/prepare.json"))["images_without_labels"] == 5
        assert read_csv(Path("data/prepared/manifest.csv"))[0]["row"] == "5"

    def test_what_determines_what_is_written_for_the_training_part(self, tiny_project: Any, capsys: Any) -> None:
        kinds = {"boot": "shoe", "clog": "shoe", "hat": "head", "cap": "head"}
        names = list(kinds)
        rows = [[f"{number:02}.png", names[number % 4], kinds[names[number % 4]]] for number in range(N)]
        write_labels(rows, ("image", "article", "family"))
        prepare(
            tiny_project(
                CHANGES | {"data.targets": dict.fromkeys(("family", "article"), "categorical"), "split.val": 0.1}
            )
        )
        (relation,) = load_relations(
            Path("data/prepared/hierarchy.json"), Targets.load(Path("data/prepared/targets.json"))
        )
        assert (relation.child, relation.parent, relation.classes) == ("article", "family", dict(sorted(kinds.items())))
        assert "article determines family (100 % agree)" in capsys.readouterr().out

    def test_twice_the_same(self, tiny_project: Any) -> None:
        params = tiny_project(CHANGES)
        write_labels(good_rows())
        contents = []
        for _ in range(2):
            prepare(params)
            contents.append([path.read_bytes() for path in sorted(Path("data/prepared").iterdir())])
        assert contents[0] == contents[1]
        assert len(contents[0]) == 5


def nothing_known(rows: list[list[str]]) -> list[list[str]]:
    return [[image, "NA", kind] for image, _, kind in rows]


def no_positive(rows: list[list[str]]) -> list[list[str]]:
    return [[image, "0", kind] for image, _, kind in rows]


def one_kind(rows: list[list[str]]) -> list[list[str]]:
    return [[image, red, "boot"] for image, red, _ in rows[1:]] + [["00.png", "1", "hat"]]


def unknown_token(rows: list[list[str]]) -> list[list[str]]:
    return [*rows[:4], ["04.png", "perhaps", "boot"], *rows[5:]]


def three_images(rows: list[list[str]]) -> list[list[str]]:
    return rows[:3]


def no_images(rows: list[list[str]]) -> list[list[str]]:
    return [[f"img_{image}", red, kind] for image, red, kind in rows]


@pytest.mark.usefixtures("ingested")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nothing_known, "target red: no known label in the training part, expected at least two classes; 0 of 60"),
        (no_positive, "target red: only absent: 36 in the training part"),
        (one_kind, "target kind: 1 classes have data.min_class_count = 5 known images or more, expected at least 2"),
        (unknown_token, "labels.csv:6: 'perhaps' is no label of the binary target red"),
        (three_images, "labels.csv: only 3 images have labels"),
        (no_images, "labels.csv: 60 of 60 rows have no usable image"),
    ],
)
def test_bad_labels_end_in_one_line_and_no_output(
    tiny_project: Any, run_stage_here: Any, one_line: Any, spoil: Any, message: str
) -> None:
    tiny_project(CHANGES)
    write_labels(spoil(good_rows()))
    assert message in one_line(run_stage_here("prepare"))
    assert [path.name for path in Path("data").iterdir()] == ["images"]
    assert not Path("metrics/prepare.json").exists()


@pytest.mark.usefixtures("ingested")
@pytest.mark.parametrize(
    ("content", "message"),
    [("", "labels.csv: the label file is empty"), ("00.png 1 0\n01.png 1\n", "labels.csv:2: expected an image and 2")],
)
def test_bad_labels_txt(tiny_project: Any, run_stage_here: Any, one_line: Any, content: str, message: str) -> None:
    tiny_project(CHANGES | {"data.source": "labels_txt", "data.targets": {}})
    Path("labels.csv").write_text(content)
    assert message in one_line(run_stage_here("prepare"))
    assert [path.name for path in Path("data").iterdir()] == ["images"]


@pytest.mark.usefixtures("ingested")
def test_groups_that_leave_a_part_empty(tiny_project: Any, run_stage_here: Any, one_line: Any) -> None:
    tiny_project(CHANGES | {"data.group_column": "who"})
    write_labels([[*row, "anna"] for row in good_rows()], ("image", "red", "kind", "who"))
    assert "none of the 60 images (1 groups) is in the train part" in one_line(run_stage_here("prepare"))
    assert not Path("data/prepared").exists()
