"""Images to shards: every image once, in order, and the same bytes whatever was there before."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grimp
import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile_images import tiff_of_shared_tiles
from lacuna.data.images import cuts
from lacuna.data.images.collections import ImageFolder
from lacuna.data.images.decoders import decoders
from lacuna.data.images.readers import FolderReader, Picture, WorkingForm
from lacuna.data.images.store import CODE_OF_A_WORKING_IMAGE, Stored, write_images
from lacuna.errors import LacunaError
from lacuna.io.sharded_array import list_shards
from tests.shards import load_rows

FORM = WorkingForm(8, "stretch", 2000)
N = 300
"""Names enough for three shards, where these are as short as the fixture `short_shards` makes them."""


@pytest.fixture
def short_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "FEWEST", 64)
    monkeypatch.setattr(cuts, "ENDS", 64)


@dataclass(frozen=True)
class Counting(FolderReader):
    """Notes which images it decodes."""

    decoded: list[str] = field(default_factory=list)

    def pictures(self, digests: Mapping[str, str], form: WorkingForm) -> Iterator[Picture]:
        self.decoded.extend(digests)
        yield from super().pictures(digests, form)


def paint(path: Path, number: int) -> None:
    Image.new("RGB", (8, 8), (number % 256, number // 256, 7)).save(path)


def write(folder: Path, out: Path, kept: Path) -> tuple[Stored, list[str]]:
    """Write the images of a folder; return what became of them, and which were decoded."""
    reader = Counting(folder)
    names = ImageFolder(folder, in_class_folders=False).names
    return write_images(reader, names, FORM, out, kept), reader.decoded


@pytest.fixture
def folder(tmp_path: Path, short_shards: None) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(N):
        paint(tmp_path / f"photos/{number:05}.png", number)
    return tmp_path / "photos"


def add_spread(folder: Path) -> int:
    for number in range(100):
        paint(folder / f"{number * 3:05}b.png", 5000 + number)
    return 100


def add_in_the_middle(folder: Path) -> int:
    for number in range(100):
        paint(folder / f"00140-{number}.png", 5000 + number)
    return 100


def remove_some(folder: Path) -> int:
    for number in range(0, N, 15):
        (folder / f"{number:05}.png").unlink()
    return 0


def rename_some(folder: Path) -> int:
    for number in range(0, N, 15):
        (folder / f"{number:05}.png").rename(folder / f"x{number}.png")
    return 0


def replace_one(folder: Path) -> int:
    paint(folder / "00140.png", 9999)
    return 1


def swap_two(folder: Path) -> int:
    (folder / "00140.png").rename(folder / "kept")
    (folder / "00141.png").rename(folder / "00140.png")
    (folder / "kept").rename(folder / "00141.png")
    return 0


def damage_one(folder: Path) -> int:
    (folder / "00140.png").write_bytes(b"no image")
    return 1


@pytest.mark.parametrize(
    "change", [add_spread, add_in_the_middle, remove_some, rename_some, replace_one, swap_two, damage_one]
)
def test_after_a_change_all_is_as_from_nothing_and_nothing_is_decoded_twice(
    folder: Path, tmp_path: Path, change: Callable[[Path], int]
) -> None:
    write(folder, tmp_path / "before", tmp_path / "kept")
    assert len(list_shards(tmp_path / "before")) > 1
    n_new = change(folder)
    found, decoded = write(folder, tmp_path / "out", tmp_path / "kept")
    assert len(decoded) == n_new
    expected, every = write(folder, tmp_path / "expected", tmp_path / "nothing")
    assert len(every) == len(found.accepted) + len(found.rejected)
    assert found == expected
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")
    reds = load_rows(tmp_path / "out")[:, 0, 0, 0].tolist()
    assert reds == [Image.open(folder / name).getpixel((0, 0))[0] for name in found.accepted]


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in list_shards(out)}


def test_a_shard_that_is_as_it_was_is_the_same_file(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "before", tmp_path / "kept")
    paint(folder / "zzz.png", 1)
    write(folder, tmp_path / "out", tmp_path / "kept")
    same = [
        (tmp_path / "before" / path.name).exists() and path.samefile(tmp_path / "before" / path.name)
        for path in list_shards(tmp_path / "out")
    ]
    assert same == [True] * (len(same) - 1) + [False]


def test_rejected_images_have_no_row_and_are_read_again_only_where_their_name_is_why(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(150):  # more than two batches
        if number % 10 == 3:
            (photos / f"{number:03}.png").write_bytes(b"no image")
        else:
            paint(photos / f"{number:03}.png", number)
    os.mkfifo(photos / "150.png")
    os.link(photos / "000.png", photos / "151.nef")  # the same file is no camera's raw image by its other name
    (photos / "152.png").symlink_to("nowhere")
    names = sorted(path.name for path in photos.iterdir())
    for attempt in ("from nothing", "from what is kept"):
        reader = Counting(photos)
        found = write_images(reader, names, FORM, tmp_path / attempt, tmp_path / "kept")
        assert len(reader.decoded) == (150 if attempt == "from nothing" else 0)
        images = load_rows(tmp_path / attempt)
        assert images.shape == (135, 8, 8, 3)
        assert [f"{red:03}.png" for red in images[:, 0, 0, 0]] == list(found.accepted)
        reasons = dict(found.rejected)
        assert list(reasons) == [*names[3:150:10], *names[150:]]
        assert reasons["003.png"] == "not an image of a known format"
        assert reasons["150.png"] == "not a regular file"
        assert "camera" in reasons["151.nef"]
        assert reasons["152.png"] == "broken link"


def test_an_image_that_took_too_long_gets_another_chance(tmp_path: Path) -> None:
    """How long it takes depends on the machine, and on what else that does."""
    photos = tmp_path / "photos"
    photos.mkdir()
    paint(photos / "quick.png", 1)
    (photos / "slow.tif").write_bytes(tiff_of_shared_tiles(1, 92, 1008))
    form = WorkingForm(8, "stretch", 2_000_000)
    impatient = decoders()
    impatient.start(1)
    impatient.hurry(0.01)
    first = write_images(FolderReader(photos), ["quick.png", "slow.tif"], form, tmp_path / "first", tmp_path / "kept")
    impatient.close()
    decoders.cache_clear()
    assert first.rejected == [("slow.tif", "too slow: not decoded within 0.01 s")]
    assert load_rows(tmp_path / "first")[:, 0, 0].tolist() == [[1, 0, 7]]
    second = write_images(FolderReader(photos), ["quick.png", "slow.tif"], form, tmp_path / "second", tmp_path / "kept")
    assert list(second.accepted) == ["quick.png", "slow.tif"]
    assert load_rows(tmp_path / "first").shape[0] == 1  # what was written before stays as it was
    assert load_rows(tmp_path / "second").shape[0] == 2


def test_a_form_or_a_damaged_entry_that_is_another_is_made_anew(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "before", tmp_path / "kept")
    expected = contents(tmp_path / "before")
    path = list_shards(tmp_path / "before")[0]
    path.chmod(0o644)
    time.sleep(0.02)  # longer than the clock of the file system ticks
    images = np.load(path, mmap_mode="r+")  # an out is the same file as what is kept
    images[:] = 0
    images.flush()
    next((tmp_path / "kept/images").rglob("receipt.json")).write_text('{"rows": [')
    assert contents(tmp_path / "before") != expected
    write(folder, tmp_path / "out", tmp_path / "kept")
    assert contents(tmp_path / "out") == expected
    other = write_images(Counting(folder), ["00001.png"], FORM._replace(size=4), tmp_path / "small", tmp_path / "kept")
    assert list(other.accepted) == ["00001.png"]
    assert load_rows(tmp_path / "small").shape == (1, 4, 4, 3)


def test_a_file_that_changes_while_it_is_read_ends_the_work_and_is_not_kept(folder: Path, tmp_path: Path) -> None:
    class Late(Counting):
        def pictures(self, digests: Mapping[str, str], form: WorkingForm) -> Iterator[Picture]:
            paint(folder / "00003.png", 77)
            yield from super().pictures(digests, form)

    names = ImageFolder(folder, in_class_folders=False).names
    with pytest.raises(LacunaError, match=r"00003.png: the file changed while it was read; run `dvc repro` again"):
        write_images(Late(folder), names, FORM, tmp_path / "out", tmp_path / "kept")
    write(folder, tmp_path / "out2", tmp_path / "kept")
    write(folder, tmp_path / "expected", tmp_path / "nothing")
    assert contents(tmp_path / "out2") == contents(tmp_path / "expected")


SLOW = """
import time
from pathlib import Path
from lacuna.data.images import cuts
from lacuna.data.images.readers import FolderReader, WorkingForm
from lacuna.data.images.store import write_images

cuts.FEWEST = cuts.ENDS = 64

class Slow(FolderReader):
    def pictures(self, digests, form):
        for picture in super().pictures(digests, form):
            time.sleep(0.006)
            yield picture

names = sorted(path.name for path in Path("photos").iterdir())
write_images(Slow(Path("photos")), names, WorkingForm(8, "stretch", 2000), Path("out"), Path("kept"))
"""


@pytest.mark.parametrize("seed", range(2))
def test_killed_anywhere_it_goes_on_where_it_was(folder: Path, tmp_path: Path, repository: Path, seed: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)}
    )
    while not list((tmp_path / "kept").rglob("receipt.json")):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(random.Random(seed).random() / 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, decoded = write(folder, tmp_path / "again", tmp_path / "kept")
    assert 0 < len(decoded) < N
    write(folder, tmp_path / "expected", tmp_path / "nothing")
    assert contents(tmp_path / "again") == contents(tmp_path / "expected")
    assert not list((tmp_path / "kept").rglob("*.partial"))


def test_the_code_of_a_working_image_is_all_that_decoding_reaches() -> None:
    imports = grimp.build_graph("lacuna", cache_dir=None)
    start = "lacuna.data.images.decoders"  # whose limits say which images have none
    reached = {start, *imports.find_upstream_modules(start)} - {"lacuna", "lacuna.core", "lacuna.data"}
    reached = {module.removeprefix("lacuna.").replace(".", "/") + ".py" for module in reached}
    assert reached - {"errors.py", "data/images.py", "io.py", "io/killable.py"} == set(CODE_OF_A_WORKING_IMAGE)
