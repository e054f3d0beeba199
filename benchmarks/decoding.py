"""What limits on decoding cost honest images, light ones and others, and what hostile ones cost at most.

python -m benchmarks decoding --images 20000       JPEG photos of 400 x 300 pixels, made up in a temporary folder
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from PIL import Image

from benchmarks.hostile_images import HOSTILE_IMAGES, encoded
from benchmarks.project import machine
from lacuna.core.working_image import Resize
from lacuna.data.images.decode import decode_with_origin
from lacuna.data.images.decoders import decoders
from lacuna.data.images.headers import UnreadableImageError
from lacuna.io.cores import n_cores

FORM: tuple[int, Resize, int] = (224, "stretch", 50_000_000)
ROUNDS = 3
MEMORY_OF_A_PHOTO = 50_000_000


def decoding(n: int) -> None:
    """Print processor time an image without limits, within them, and in processes, taking turns, and a table of hostile
    images."""
    with tempfile.TemporaryDirectory() as folder:
        paths = list(_photos(Path(folder), min(n, 500)))
        images = [path for path, _ in zip((path for _ in repeat(0) for path in paths), range(n), strict=False)]
        ways = {"without limits": _unlimited, "within limits": _limited, "in processes": _apart}
        spent: dict[str, list[float]] = {name: [] for name in ways}
        with ThreadPoolExecutor(n_cores()) as pool:
            list(pool.map(_apart, images[:10]))
            for _ in range(ROUNDS):
                for name, decode in ways.items():
                    spent[name].append(1e3 * _busy_seconds(lambda work=decode: list(pool.map(work, images))) / n)
    print(f"{machine()}; {n:,} JPEGs of 400 x 300 pixels, {ROUNDS} rounds, processor time an image:")
    for name, each in spent.items():
        print(f"- {name}: median {median(each):.2f} ms ({', '.join(f'{ms:.2f}' for ms in each)})")
    print("\n| hostile image | file, MB | processor s | |\n|---|---|---|---|")
    for name, make in HOSTILE_IMAGES.items():
        content = make()
        said: list[str] = []
        seconds = _busy_seconds(lambda content=content, said=said: said.append(_fate(content)))
        print(f"| {name} | {len(content) / 1e6:.2f} | {seconds:.2f} | {said[0]} |", flush=True)


def _photos(folder: Path, n: int) -> Iterable[Path]:
    generator = np.random.default_rng(0)
    for number in range(n):
        coarse = Image.fromarray(generator.integers(0, 256, (19, 25, 3), dtype=np.uint8))
        path = folder / f"{number}.jpg"
        path.write_bytes(encoded(coarse.resize((400, 300), Image.Resampling.BICUBIC), "JPEG", quality=85))
        yield path


def _unlimited(path: Path) -> object:
    return _decode(path.read_bytes())


def _limited(path: Path) -> object:
    return decoders().decode(path, [FORM])


def _apart(path: Path) -> object:
    """As an image that is not light."""
    return decoders().run(_decode, path.read_bytes(), memory=MEMORY_OF_A_PHOTO)


def _decode(content: bytes) -> object:
    size, resize, max_pixels = FORM
    return decode_with_origin(content, size=size, resize=resize, max_pixels=max_pixels)


def _fate(content: bytes) -> str:
    try:
        decoders().decode(content, [FORM])
    except UnreadableImageError as error:
        return str(error)
    return "decoded"


def _busy_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this process and of those that it has started and keeps."""
    before = _of_children()
    began = time.process_time()
    work()
    return time.process_time() - began + _of_children() - before


def _of_children() -> float:
    return sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children())
