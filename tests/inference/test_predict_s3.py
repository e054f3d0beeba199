"""Listing, images and predictions in a bucket of a local server that speaks S3."""

import io
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image
from pyarrow import parquet

from lacuna.cli import main
from lacuna.data.images import bucket as bucket_images
from tests.s3_server import new_bucket, s3_server
from tests.tiny_bundle import write_tiny_bundle

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(endpoint, monkeypatch):
    with new_bucket(endpoint, monkeypatch) as made:
        yield made


@pytest.fixture
def bundle(tmp_path):
    return write_tiny_bundle(tmp_path / "bundle")


@pytest.fixture
def names(bucket, tmp_path):
    """Ten images in the bucket, and in a folder: one empty, one missing, one no image."""
    (tmp_path / "in").mkdir()
    found = [f"in/{number} ä+%20#?.png" for number in range(10)]
    for number, name in enumerate(found):
        Image.new("RGB", (32, 32), (20 * number, 90, 5 * number)).save(tmp_path / name)
    (tmp_path / found[3]).write_bytes(b"")
    (tmp_path / found[5]).write_text("not an image")
    (tmp_path / found[7]).unlink()
    for path in (tmp_path / "in").iterdir():
        bucket.upload_file(str(path), f"lists/in/{path.name}")
    for place in ("lists/listing.txt", "lists/again.csv"):
        header = ["image"] if place.endswith("csv") else []
        bucket.put_object(Key=place, Body="\n".join([*header, *found]).encode())
    (tmp_path / "listing.txt").write_text("\n".join(found), encoding="utf-8")
    return found


def predict(bundle, listing, out, *options):
    given = ["predict", "--bundle", bundle, "--listing", listing, "--out", out, "--shard-images", 4, *options]
    return main([str(argument) for argument in given])


def stored(bucket, prefix):
    return {found.key: found.get()["Body"].read() for found in bucket.objects.filter(Prefix=prefix)}


def rows(parts):
    return [
        row
        for key, content in sorted(parts.items())
        if key.endswith("parquet")
        for row in parquet.read_table(io.BytesIO(content)).to_pylist()
    ]


def test_predictions_of_a_bucket_are_those_of_a_folder(bucket, bundle, names, tmp_path, capsys):
    assert predict(bundle, tmp_path / "listing.txt", tmp_path / "out") == 0
    assert predict(bundle, "s3://photos/lists/listing.txt", "s3://photos/out/") == 0
    assert "10 images in 3 files, 3 images can't be read" in capsys.readouterr().err.splitlines()[-1]
    parts = stored(bucket, "out/")
    assert sorted(parts) == ["out/_summary.json", *(f"out/part-00000{n}-of-000003.parquet" for n in (1, 2, 3))]
    assert rows(parts) == parquet.read_table(tmp_path / "out").to_pylist()
    reasons = {row["image"]: row["error"] for row in rows(parts) if row["error"]}
    whys = ["empty file", "not an image of a known format", "no such file"]
    assert reasons == dict(zip([names[3], names[5], names[7]], whys, strict=True))


def test_what_is_in_the_bucket_is_kept_and_what_is_missing_comes_back_the_same(bucket, bundle, names, capsys):
    predict(bundle, "s3://photos/lists/again.csv", "s3://photos/out")
    before = stored(bucket, "out/")
    bucket.Object("out/part-000002-of-000003.parquet").delete()
    bucket.Object("out/_summary.json").delete()
    capsys.readouterr()
    assert predict(bundle, "s3://photos/lists/again.csv", "s3://photos/out") == 0
    assert "2 of them there before" in capsys.readouterr().err
    assert stored(bucket, "out/") == before
    assert predict(bundle, "s3://photos/lists/again.csv", "s3://photos/out", "--shard-images", 5) == 1
    assert "of this one there are 2 files" in capsys.readouterr().err
    assert stored(bucket, "out/") == before


def test_a_local_listing_may_name_images_by_urls_and_large_ones_are_not_read(
    bucket, bundle, names, tmp_path, monkeypatch
):
    monkeypatch.setattr(bucket_images, "MAX_OBJECT_BYTES", 1000)
    bucket.put_object(Key="large.bin", Body=b"x" * 1001)
    local = [names[0], f"s3://photos/lists/{names[1]}", "s3://photos/large.bin", str(tmp_path / names[2])]
    (tmp_path / "l.txt").write_text("\n".join(local), encoding="utf-8")
    assert predict(bundle, tmp_path / "l.txt", tmp_path / "out") == 0
    found = parquet.read_table(tmp_path / "out").to_pylist()
    assert [row["image"] for row in found] == local
    assert [row["error"] for row in found] == [None, None, "more than 1000 bytes", None]


@pytest.mark.parametrize(
    ("listing", "out", "said"),
    [
        ("s3://photos/none.txt", "out", "s3://photos/none.txt: no such file"),
        ("listing.txt", "s3://nowhere/out", "s3://nowhere/out/part-000001-of-000003.parquet: "),
        ("s4://photos/none.txt", "out", "s4://photos/none.txt: Protocol not known: s4"),
        ("https://example.org/l.txt", "out", "images on the web are got by `python -m lacuna fetch urls`"),
    ],
)
def test_a_place_that_is_not_there_is_one_line(listing, out, said, bundle, names, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert predict(bundle, listing, out) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.fixture
def guarded(endpoint, names):
    """The server asks who one is."""
    httpx.post(f"{endpoint}/moto-api/reset-auth", content="0")
    yield
    httpx.post(f"{endpoint}/moto-api/reset-auth", content="inf")


@pytest.mark.parametrize(
    ("has_key", "reason"),
    [(True, " with the credentials in the environment, if there are any"), (False, "Unable to locate credentials")],
)
def test_who_is_refused_is_told_so_and_no_image_is_to_blame(
    has_key, reason, bundle, names, guarded, tmp_path, monkeypatch, capsys
):
    if not has_key:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    (tmp_path / "l.txt").write_text(f"s3://photos/lists/{names[0]}", encoding="utf-8")
    assert predict(bundle, tmp_path / "l.txt", tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: s3://photos/lists/{names[0]}: ")
    assert line.endswith(reason)
    assert not (tmp_path / "out").exists()


def test_without_fsspec_local_listings_work_and_a_url_says_what_it_needs(bundle, names, tmp_path):
    script = (
        "import sys; sys.modules['fsspec'] = None; from lacuna.cli import main; "
        "base = sys.argv[1]; "
        "given = ['predict', '--bundle', f'{base}/bundle', '--out', f'{base}/out', '--listing']; "
        "assert main([*given, f'{base}/listing.txt']) == 0; sys.exit(main([*given, 's3://photos/listing.txt']))"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=REPOSITORY, text=True, capture_output=True)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == "error: s3:// needs s3fs: pip install s3fs"
