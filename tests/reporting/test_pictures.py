"""The pictures of the report: whether their files are the stage's deps, what becomes of them, and when they stop."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from lacuna.reporting.pictures import REPORT_PICTURES, embed_pictures, shrink

TARGETS = [f"t{number}" for number in range(30)]


def deps(repository: Path) -> list[str]:
    pipeline = YAML(typ="safe").load(repository / "dvc.yaml")
    listed: list[str] = pipeline["stages"]["report"]["deps"]
    return [dep for dep in listed if dep.startswith("plots/") and not dep.endswith(".csv")]


def is_in(path: str, dep: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


@pytest.mark.parametrize("row", REPORT_PICTURES, ids=lambda row: row.file)
def test_each_picture_is_a_dep_of_the_stage(repository: Path, row) -> None:
    assert any(is_in(f"plots/{row.file}", dep) for dep in deps(repository))


def test_no_dep_shows_nothing(repository: Path) -> None:
    """plots/confused_pairs holds tables, from which the mistakes are named."""
    for dep in set(deps(repository)) - {"plots/confused_pairs"}:
        assert any(is_in(f"plots/{row.file}", dep) for row in REPORT_PICTURES), dep


@pytest.fixture
def plots(tmp_path: Path) -> Path:
    """Two charts, and a sheet of noise for each of 30 targets."""
    generator = np.random.default_rng(0)
    chart = np.full((60, 90, 3), 255, np.uint8)
    chart[10:20, 5:80] = (213, 94, 0)
    files = {"loss_curve.png": chart, "explain/faithfulness.png": chart}
    for name in TARGETS:
        files[f"explain/examples/{name}.png"] = generator.integers(0, 256, (120, 120, 3), dtype=np.uint8)
    for file, pixels in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / file)
    return tmp_path


def test_a_chart_stays_as_it_is_and_photos_become_smaller(plots: Path) -> None:
    chart, sheet = plots / "loss_curve.png", plots / "explain/examples/t0.png"
    exact, content = shrink(chart), shrink(sheet)
    assert exact is not None
    assert content is not None
    with Image.open(io.BytesIO(exact)) as small, Image.open(chart) as original:
        assert (np.asarray(small) == np.asarray(original)).all()
    with Image.open(io.BytesIO(content)) as small:
        assert small.size == (120, 120)
    assert len(content) < sheet.stat().st_size / 2


def test_pictures_of_all_targets_come_first_then_the_most_urgent_targets(plots: Path) -> None:
    urgent = ["t7", "t3", *(name for name in TARGETS if name not in ("t7", "t3"))]
    found = embed_pictures(plots, TARGETS, urgent, most_bytes=80_000)
    attention = found["attention"]
    assert [picture.caption for picture in found["training"].open] == [
        "How wrong its probabilities were (log loss) in both phases"
    ]
    shown = [picture.caption.split(":")[0] for picture in (*attention.open, *attention.folded)]
    assert shown[0] == "Do the maps hold?"
    assert {"t3", "t7"} <= set(shown)
    assert shown[1:] == [name for name in TARGETS if name in shown]  # in the order of the targets
    assert attention.left_out
    assert {path.stem for path in attention.left_out} == set(TARGETS) - set(shown)
    (sentence,) = attention.sentence()
    assert sentence.startswith(f"{len(attention.left_out)} more pictures would make this page too large: see ")
    assert sentence.endswith("explain/examples")
    held = [picture.source for section in found.values() for picture in (*section.open, *section.folded)]
    assert sum(len(base64.b64decode(source.split(",")[1])) for source in held) <= 80_000


def test_with_room_for_all_the_first_target_is_open_and_nothing_left_out(plots: Path) -> None:
    attention = embed_pictures(plots, TARGETS, TARGETS)["attention"]
    assert [picture.caption for picture in attention.open] == ["Do the maps hold?", "t0: what decisions rest on"]
    assert len(attention.folded) == 29
    assert attention.left_out == ()
    assert attention.sentence() == []


def test_a_picture_too_long_for_the_page_is_named_and_the_others_are_shown(plots: Path) -> None:
    """The curves of 200 targets are 18,000 pixels high; WebP ends at 16,383."""
    Image.new("L", (20, 18_000)).save(plots / "pr_curves.png")
    found = embed_pictures(plots, TARGETS, TARGETS)
    assert found["result"].left_out == (plots / "pr_curves.png",)
    assert found["result"].sentence() == [f"1 more picture would make this page too large: see {plots}"]
    assert len(found["attention"].open) == 2
    assert found["attention"].left_out == ()
