"""The ingest stage: what it writes for good images, and what it says and leaves for bad ones."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.io.atomic import sha256
from lacuna.io.csv_files import read_csv
from stages.ingest import ingest
from tests.shards import load_rows

CHANGES = {"data.path": "pictures", "data.image_size": 32, "data.max_rejected": 0.1}


def test_images_rejections_and_duplicates(tiny_project: Any, tiny_images: Path, capsys: Any) -> None:
    (tiny_images / "sub").mkdir()
    shutil.copy(tiny_images / "7.png", tiny_images / "sub" / "same.png")
    (tiny_images / "text.jpg").write_text("not an image at all")
    Image.new("RGB", (200, 200), "red").save(tiny_images / "cut.jpg")
    (tiny_images / "cut.jpg").write_bytes((tiny_images / "cut.jpg").read_bytes()[:500])
    Image.new("1", (5000, 5000)).save(tiny_images / "bomb.png")
    facts = ingest(tiny_project(CHANGES | {"data.max_pixels": 1_000_000}))

    files = read_csv(Path("data/images/files.csv"))
    images = load_rows("data/images/pixels")
    assert images.shape == (41, 32, 32, 3)
    assert [int(line["row"]) for line in files] == list(range(41))
    by_name = {line["image"]: line for line in files}
    assert list(by_name) == sorted(by_name)
    assert by_name["sub/same.png"]["group"] == by_name["7.png"]["row"]
    assert list(files[0]) == ["image", "row", "group", "format", "mode", "width", "height", "bytes", "sha256"]
    for name, line in by_name.items():
        assert [line[key] for key in ("format", "mode", "width", "height")] == ["PNG", "RGB", "40", "40"]
        assert int(line["bytes"]) == (tiny_images / name).stat().st_size
        assert line["sha256"] == sha256(tiny_images / name)
        with Image.open(tiny_images / name) as image:
            assert (images[int(line["row"])] == np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC))).all()
    rejected = {line["image"]: line["reason"] for line in read_csv(Path("data/images/rejected.csv"))}
    assert list(rejected) == ["bomb.png", "cut.jpg", "text.jpg"]
    assert "too many pixels: 5000 x 5000" in rejected["bomb.png"]
    assert "truncated" in rejected["cut.jpg"]
    assert rejected["text.jpg"] == "not an image of a known format"
    assert "rejected: text.jpg: not an image" in capsys.readouterr().out
    assert facts is not None
    assert (facts["images"], facts["rejected"], facts["exact_duplicates"]) == (41, 3, 1)


def test_a_sample_is_taken_and_the_rest_is_listed(tiny_project: Any, tiny_images: Path, capsys: Any) -> None:
    (tiny_images / "text.jpg").write_text("not an image at all")
    facts = ingest(tiny_project(CHANGES | {"data.max_images": 12}))
    taken = [line["image"] for line in read_csv(Path("data/images/files.csv"))]
    rejected = [line["image"] for line in read_csv(Path("data/images/rejected.csv"))]
    left_out = [line["image"] for line in read_csv(Path("data/images/left_out.csv"))]
    assert len(taken) + len(rejected) == 12
    assert sorted(taken + rejected + left_out) == sorted(path.name for path in tiny_images.iterdir())
    assert load_rows("data/images/pixels").shape == (len(taken), 32, 32, 3)
    assert facts["left_out"] == len(left_out) == 29
    assert f"{len(taken)} of 41 images, {len(rejected)} rejected" in capsys.readouterr().out


def test_a_large_group_of_duplicates_is_warned_of(tiny_project: Any, tiny_images: Path, capsys: Any) -> None:
    for number in range(12):
        Image.new("RGB", (40, 40), (number // 4, 90, 90)).save(tiny_images / f"grey{number}.png")
    ingest(tiny_project(CHANGES))
    assert "warning: 12 of 52 images form one group of duplicates" in capsys.readouterr().out


def test_twice_the_same(tiny_project: Any, tiny_images: Path) -> None:
    params = tiny_project(CHANGES)
    contents = []
    for _ in range(2):
        ingest(params)
        contents.append({path.name: path.read_bytes() for path in Path("data/images").rglob("*.*")})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"00000-of-00001.npy", "files.csv", "left_out.csv", "rejected.csv"}


def spoil_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_text("text")


def spoil_some(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.png").write_bytes(b"")


def remove_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_all, "pictures: 40 of 40 images are rejected"),
        (spoil_some, "pictures: 5 of 40 images are rejected, more than data.max_rejected = 0.1"),
        (remove_all, "pictures: no image in this folder"),
        (shutil.rmtree, "pictures: no such folder"),
    ],
)
def test_bad_folders_end_in_one_line_and_no_output(
    tiny_project: Any, tiny_images: Path, run_stage_here: Any, one_line: Any, spoil: Any, message: str
) -> None:
    tiny_project(CHANGES)
    spoil(tiny_images)
    assert message in one_line(run_stage_here("ingest"))
    assert list(Path("data").iterdir() if Path("data").exists() else []) == []


@pytest.mark.slow
def test_photos_in_a_format_that_is_not_read_are_rejected_by_name(
    tiny_project: Any, tiny_images: Path, run_stage_here: Any, one_line: Any
) -> None:
    tiny_project(CHANGES)
    for number in range(3):
        (tiny_images / f"IMG_{number}.JXL").write_bytes(b"\xff\x0a" + bytes(100))
    (tiny_images / "holiday.zip").write_bytes(b"PK\3\4")
    Image.new("RGB", (40, 40)).save(tiny_images / "DSC1", "JPEG")
    done = run_stage_here("ingest")
    assert done.returncode == 0
    assert "rejected: IMG_0.JXL: a JPEG XL picture, which is not read: convert to JPEG or PNG\n" in done.stdout
    assert "40 of 43 images, 3 rejected, 2 other files ignored" in done.stdout
    assert (
        "warning: 1 .zip files are left out (holiday.zip); if they hold images of yours: unpack first\n" in done.stdout
    )
    assert "warning: 1 files without an image's suffix hold images and are left out (DSC1): rename them" in done.stdout
    for number in range(30):
        (tiny_images / f"IMG_{number}.JXL").write_bytes(b"\xff\x0a" + bytes(100))
    line = one_line(run_stage_here("ingest"))
    assert "30 of 70 images are rejected, more than data.max_rejected = 0.1 allows" in line
    assert "IMG_0.JXL: a JPEG XL picture, which is not read: convert to JPEG or PNG" in line


def test_12_bit_values_in_16_bit_files_are_used_whole_and_said(
    tiny_project: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    generator = np.random.default_rng(0)
    for number in range(30):
        values = generator.integers(0, 4096, (40, 40)).astype(np.uint16)
        values[0, 0] = 65535 if number == 7 else 4095
        Image.fromarray(values).save(tmp_path / "pictures" / f"{number:02}.png")
    facts = ingest(tiny_project(CHANGES))
    assert (facts["images"], facts["near_duplicates"], facts["largest_group"]) == (30, 0, 1)
    images = load_rows("data/images/pixels")
    assert (images.reshape(30, -1).mean(axis=1) > 100).sum() == 29
    assert (
        "warning: 29 of 30 16-bit grey images hold no value above 4095 and are taken for 12-bit images, whose white "
        "that is (00.png, 01.png, 02.png, ...); the other 1 are not, so their brightness does not compare"
    ) in capsys.readouterr().out


@pytest.mark.parametrize("odd", ["a\rb", "a\nb", "a\tb", "a\x1b[2Jb", 'a"b', "a,b", " a", "a\u2028b", "a\x85b"])
def test_odd_characters_in_a_files_name_make_no_other_rows(
    tiny_project: Any, tiny_images: Path, capsys: pytest.CaptureFixture[str], odd: str
) -> None:
    (tiny_images / "7.png").rename(tiny_images / f"{odd}.png")
    (tiny_images / f"{odd}.jpg").write_text("no image")
    ingest(tiny_project(CHANGES))
    names = [line["image"] for line in read_csv(Path("data/images/files.csv"))]
    assert names == sorted([f"{odd}.png", *(f"{number}.png" for number in range(40) if number != 7)])
    assert read_csv(Path("data/images/rejected.csv")) == [
        {"image": f"{odd}.jpg", "reason": "not an image of a known format"}
    ]
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert sum(line.startswith("rejected: ") for line in said.split("\n")) == 1


def test_a_name_that_is_no_utf_8_is_rejected_by_name(
    tiny_project: Any, tiny_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_images / "7.png").rename(tiny_images / os.fsdecode(b"b\xe4r.png"))
    ingest(tiny_project(CHANGES))
    assert read_csv(Path("data/images/rejected.csv")) == [
        {"image": "b\\udce4r.png", "reason": "the file's name is not UTF-8"}
    ]
    assert "rejected: b\\udce4r.png: the file's name is not UTF-8" in capsys.readouterr().out
