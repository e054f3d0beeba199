"""`data.path` as a URL of a bucket: the same outs as from a folder, and nothing read twice."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lacuna.data.images.bucket import BucketReader
from lacuna.data.images.readers import WorkingForm
from lacuna.errors import LacunaError
from lacuna.io.csv_files import read_csv
from lacuna.io.file_digests import open_digests
from stages.check_params import check_params
from stages.ingest import ingest
from stages.prepare import prepare
from tests.s3_server import new_bucket, s3_server

CHANGES = {"data.image_size": 32, "data.max_rejected": 0.3, "data.source": "folders", "data.targets": {}}
URL = "s3://photos/raw"
FROM_BUCKET = {"data.path": URL, "data.labels": URL}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, tiny_images: Path) -> Iterator[Any]:
    """Images in folders, hidden ones, others and broken ones."""
    for folder in ("cat", "dog", ".thumbnails"):
        (tiny_images / folder).mkdir()
    for number in range(12):
        shutil.move(tiny_images / f"{number}.png", tiny_images / ("cat" if number % 2 else "dog") / f"{number} ä.png")
    for path in tiny_images.glob("*.png"):
        path.unlink()
    shutil.copy(tiny_images / "cat/1 ä.png", tiny_images / ".thumbnails/1.png")
    shutil.copy(tiny_images / "cat/1 ä.png", tiny_images / "cat/raw.cr2")
    (tiny_images / "dog/empty.jpg").touch()
    (tiny_images / "dog/notes.txt").write_text("1\n")
    with new_bucket(endpoint, monkeypatch) as made:
        for path in tiny_images.rglob("*.*"):
            if path.is_file():
                made.upload_file(str(path), f"raw/{path.relative_to(tiny_images).as_posix()}")
        yield made


def outs() -> dict[str, bytes]:
    folder = Path("data/images")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects_read(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the server was asked for since the last time."""
    said = [record.getMessage() for record in caplog.records if record.name == "werkzeug"]
    caplog.clear()
    return [line for line in said if "GET /photos/raw" in line]


def test_the_outs_are_those_of_a_folder_and_what_is_unchanged_is_not_read_again(
    tiny_project: Any, tiny_images: Path, bucket: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "werkzeug")
    from_folder = ingest(tiny_project(CHANGES | {"data.path": "pictures", "data.labels": "pictures"}))
    expected = outs()
    assert "dog/empty.jpg,empty file" in expected["rejected.csv"].decode()
    assert "cat/raw.cr2" in expected["rejected.csv"].decode()
    params = tiny_project(CHANGES | FROM_BUCKET)
    check_params(params)
    shutil.rmtree("runs", ignore_errors=True)
    facts = ingest(params)
    assert facts is not None
    assert from_folder is not None
    assert {**facts, "notes": []} == {**from_folder, "notes": []}
    assert outs() == expected
    assert objects_read(caplog)

    ingest(params)
    assert outs() == expected
    assert objects_read(caplog) == []

    prepare(params)
    manifest = read_csv(Path("data/prepared/manifest.csv"))
    assert [line["class"] for line in manifest] == ["0"] * 6 + ["1"] * 6  # cat and dog

    bucket.upload_file(str(tiny_images / "cat/3 ä.png"), "raw/cat/1 ä.png")
    ingest(params)
    assert len({line.partition(" HTTP")[0] for line in objects_read(caplog) if "/cat/1%20" in line}) == 1
    assert outs() != expected


def test_an_object_that_changes_while_it_is_read_stops_the_stage(bucket: Any, tmp_path: Path) -> None:
    reader, names = BucketReader(URL), ["cat/1 ä.png", "cat/3 ä.png"]
    with open_digests(tmp_path / "digests") as known:
        digests = dict(zip(names, reader.digests(names, known), strict=True))
    bucket.Object("raw/cat/3 ä.png").delete()
    with pytest.raises(LacunaError, match=r"raw/cat/3 ä\.png: the file changed while it was read"):
        list(reader.pictures(digests, WorkingForm(32, "pad", 10_000)))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://photos/none", "s3://photos/none: nothing is there; data.path must name"),
        ("s3://nowhere/raw", "s3://nowhere/raw: nothing is there; data.path must name"),
    ],
)
def test_a_place_without_images_is_named(url: str, said: str, tiny_project: Any, bucket: Any) -> None:
    with pytest.raises(LacunaError, match=said):
        ingest(tiny_project(CHANGES | {"data.path": url, "data.labels": url}))
