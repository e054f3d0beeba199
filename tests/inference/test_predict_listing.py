import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from pyarrow import parquet

from lacuna.cli import main
from lacuna.inference import listing_prediction
from tests.tiny_bundle import TIED_CALIBRATION, TIED_PICK, TIED_TARGETS, write_tiny_bundle

REPOSITORY = Path(__file__).parents[2]
N = 20


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("listing") / "bundle")


@pytest.fixture
def names(tmp_path):
    """N images, two of which can't be read."""
    (tmp_path / "photos").mkdir()
    found = [f"photos/{number}.png" for number in range(N)]
    for number, name in enumerate(found):
        Image.new("RGB", (32, 32), (12 * number, 200 - 9 * number, 5 * number)).save(tmp_path / name)
    (tmp_path / found[4]).write_text("not an image")
    (tmp_path / found[9]).unlink()
    return found


@pytest.fixture
def listing(tmp_path, names):
    return write_listing(tmp_path / "listing.txt", names)


def write_listing(path, names):
    path.write_text("\n".join(names), encoding="utf-8")
    return path


def arguments(bundle, listing, out, *options):
    wanted = ["predict", "--bundle", bundle, "--listing", listing, "--out", out, "--shard-images", 6, *options]
    return [str(argument) for argument in wanted]


def predict(*given):
    return main(arguments(*given))


def rows(out):
    return parquet.read_table(out).to_pylist()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_image_is_a_row_by_its_name_in_the_listing_as_in_a_file_of_predictions(
    bundle, listing, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "deep/out"
    assert predict(bundle, listing, out) == 0
    assert sorted(contents(out)) == ["_summary.json", *(f"part-00000{n}-of-000004.parquet" for n in range(1, 5))]
    assert f"{out}: 20 images in 4 files, 2 images can't be read, see the column error, " in capsys.readouterr().err
    summary = json.loads((out / "_summary.json").read_text())
    assert [summary[key] for key in ("images", "unreadable", "repeated_names", "files")] == [20, 2, 0, 4]

    monkeypatch.chdir(tmp_path)
    table = write_listing(tmp_path / "table.csv", ["image", *listing.read_text().split()])
    assert main(["predict", table.name, "--out", "one.parquet", "--bundle", str(bundle)]) == 0
    assert rows(out) == rows(tmp_path / "one.parquet")
    assert [row["error"] for row in rows(out) if row["error"]] == ["not an image of a known format", "no such file"]


def test_a_name_that_stands_twice_is_predicted_once_at_its_first_place(bundle, names, tmp_path, capsys):
    twice = [*names[:7], names[2], names[1], *names, names[0]]
    assert predict(bundle, write_listing(tmp_path / "l.txt", twice), tmp_path / "out") == 0
    assert [row["image"] for row in rows(tmp_path / "out")] == names
    assert "20 images in 5 files, 10 repeated names left out, 2 images" in capsys.readouterr().err
    assert predict(bundle, tmp_path / "l.txt", tmp_path / "out") == 0
    assert "20 images in 5 files, 5 of them there before, 10 repeated" in capsys.readouterr().err


def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_bytes(bundle, names, tmp_path, capsys):
    many = [f"{'./' * again}{name}" for again in range(15) for name in names]  # 50 files of distinct names
    listing, out = write_listing(tmp_path / "l.txt", many), tmp_path / "out"
    run = subprocess.Popen([sys.executable, "-m", "lacuna", *arguments(bundle, listing, out)], cwd=REPOSITORY)
    try:
        while not len(list(out.glob("part*of*"))) >= 3:
            assert run.poll() is None
            time.sleep(0.002)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    before = {path: path.stat().st_mtime_ns for path in out.glob("part-*-of-000050.parquet")}
    assert 3 <= len(before) < 50
    assert predict(bundle, listing, out) == 0
    assert f"300 images in 50 files, {len(before)} of them there before" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [row["image"] for row in rows(out)] == many
    assert predict(bundle, listing, tmp_path / "at_once") == 0
    assert contents(out) == contents(tmp_path / "at_once")


def test_halves_of_a_listing_have_the_rows_of_the_whole(bundle, names, listing, tmp_path):
    predict(bundle, listing, tmp_path / "whole")
    for half, part in (("a", names[:11]), ("b", names[11:])):
        predict(bundle, write_listing(tmp_path / f"{half}.txt", part), tmp_path / half)
    assert rows(tmp_path / "a") + rows(tmp_path / "b") == rows(tmp_path / "whole")


def test_predictions_of_something_else_are_neither_mixed_nor_overwritten(bundle, names, listing, tmp_path, capsys):
    out = tmp_path / "out"
    predict(bundle, listing, out)
    before = contents(out)
    other = write_tiny_bundle(tmp_path / "bundle", TIED_TARGETS, TIED_CALIBRATION, TIED_PICK)
    swapped = write_listing(tmp_path / "swapped.txt", [*names[:-2], names[-1], names[-2]])
    (tmp_path / "photos/below").mkdir()
    moved = write_listing(tmp_path / "photos/below/listing.txt", names)
    for said, given in {
        "were made with other bundle;": (other, listing),
        "were made with other names;": (bundle, swapped),
        "were made with other folder;": (bundle, moved),
        "were made with other runtime;": (bundle, listing, out, "--runtime", "onnx"),
        "were made with other min_precision and certainty;": (bundle, listing, out, "--min-precision", "0.5"),
        "of this one there are 2 files;": (bundle, write_listing(tmp_path / "few.txt", names[:7])),
        "of this one there are 20 files;": (bundle, listing, out, "--shard-images", "1"),
    }.items():
        capsys.readouterr()
        assert predict(*given[:2], out, *given[3:]) == 1
        assert said in capsys.readouterr().err
        assert contents(out) == before
    (out / "photos.parquet").write_bytes(before["part-000001-of-000004.parquet"])
    assert predict(bundle, listing, out) == 1
    assert "photos.parquet: another table" in capsys.readouterr().err
    (out / "photos.parquet").unlink()
    (out / "part-000001-of-000004.parquet").unlink()
    before = contents(out)
    assert predict(other, listing, out) == 1
    assert contents(out) == before, "files of another model beside those that are there"


def test_of_two_runs_at_once_with_different_settings_one_stops(bundle, listing, tmp_path, monkeypatch, capsys):
    given, predict_named = (bundle, listing, tmp_path / "out"), listing_prediction.predict_named

    def while_another_runs(*images):
        monkeypatch.undo()
        predict(*given, "--min-precision", "0.5")
        return predict_named(*images)

    monkeypatch.setattr(listing_prediction, "predict_named", while_another_runs)
    assert predict(*given) == 1
    assert "part-000001-of-000004.parquet: predictions that are there were made with other" in capsys.readouterr().err
    assert predict(*given, "--min-precision", "0.5") == 0


def test_a_file_that_is_damaged_or_foreign_is_named(bundle, listing, tmp_path, capsys):
    out = tmp_path / "out"
    predict(bundle, listing, out)
    damaged = out / "part-000003-of-000004.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert predict(bundle, listing, out) == 1
    assert f"error: {damaged}: no Parquet file; remove it\n" in capsys.readouterr().err
    damaged.unlink()
    assert predict(bundle, listing, out) == 0


def test_the_exit_code_tells_of_unreadable_images_whoever_predicted_them(bundle, names, listing, tmp_path):
    for _ in range(2):
        assert predict(bundle, listing, tmp_path / "out", "--strict") == 1
        assert predict(bundle, write_listing(tmp_path / "bad.txt", [names[4]]), tmp_path / "bad") == 1
    assert predict(bundle, write_listing(tmp_path / "good.txt", names[:4]), tmp_path / "good", "--strict") == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--out", "x.parquet"], "x.parquet: a file; with --listing, --out names a folder"),
        (["--out", "out", "--shard-images", "0"], "--shard-images: expected 1 or more, received 0"),
        (["--out", "out", "--engine", "ray", "--workers", "-1"], "workers: expected 0 or more, received -1"),
        (["--json"], "--listing: expected --out FOLDER"),
        (["--out", "out", "--adapt"], "no --adapt, which reads all images first"),
    ],
)
def test_a_mistake_in_the_command_is_one_line(given, said, bundle, listing, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--listing", str(listing), "--bundle", str(bundle), *given]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not Path("out").exists()
