"""The sample stage, as the pipeline runs it."""

import csv
from pathlib import Path
from typing import Any

from stages.check_params import check_params
from stages.sample import sample


def test_the_default_data_fits_the_default_params(tiny_project: Any, tmp_path: Path) -> None:
    params = tiny_project({"sample.images": 60})
    facts = sample(params)
    assert facts is not None
    assert facts["images"] == 60
    with open(params.data.labels, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {params.data.image_column, params.data.group_column, *params.data.targets} <= set(lines[0])
    assert all((Path(params.data.path) / line["image"]).is_file() for line in lines)
    assert {"truth.csv", "ATTRIBUTION.txt"} <= {path.name for path in (tmp_path / "data" / "sample").iterdir()}


def test_with_other_data_no_emoji_are_written(tiny_project: Any, tmp_path: Path) -> None:
    params = tiny_project({"data.path": "data/raw", "data.labels": "data/raw/labels.csv"})
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/labels.csv").write_text("image,concept,category,person,face,animal,blue\n")
    check_params(params)
    assert Path("data/embedded_data.txt").read_text() == "the embedded data set is used: no\n"
    sample(params)
    assert [path.name for path in (tmp_path / "data/sample").iterdir()] == ["not_used.txt"]
