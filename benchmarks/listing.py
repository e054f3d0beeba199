"""Processor seconds of `predict --listing` beside `predict --out FILE`, and what it takes to cut a long listing.

python -m benchmarks listing --bundle models/bundle --images 5000 --rows 10000000
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.project import ROOT, environment, machine
from lacuna.inference.listing_prediction import cut_into_shards

REPEATS = 5
PIXELS = 64


def listing(bundle: Path, n_images: int, n_rows: int) -> None:
    """Print both as Markdown tables. Of each way the median of REPEATS runs, which take turns."""
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as folder:
        parent = Path(folder)
        _write_images(parent, n_images)
        ways = {
            "`predict images.csv --out FILE.parquet`": ["images.csv", "--out", "one.parquet"],
            "`predict --listing images.csv --out FOLDER`": ["--listing", "images.csv", "--out", "out"],
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPEATS):
            for way, given in ways.items():
                subprocess.run(["rm", "-rf", parent / "out"], check=True)
                seconds[way].append(_processor_seconds(parent, [*given, "--bundle", str(bundle.absolute())]))
                print(f"{way}: {seconds[way][-1]:.1f}", file=sys.stderr)
        print(f"| {n_images:,} images of {PIXELS} px | processor s, median | all |\n|---|---|---|")
        for way, found in seconds.items():
            print(f"| {way} | {statistics.median(found):.1f} | {', '.join(f'{each:.1f}' for each in found)} |")
        (parent / "out").rename(parent / "before")
        long = parent / "long.txt"
        with long.open("w", encoding="utf-8") as file:
            file.writelines(f"photos/{row % 4096:04}/{row:012}.jpg\n" for row in range(n_rows))
        started = time.process_time()
        shards = cut_into_shards(str(long), None, str(parent / "out"), 10_000)
        seconds_to_cut = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\n{n_rows:,} names in {len(shards):,} shards: {seconds_to_cut:.1f} processor s, peak {peak:.0f} MiB")


def _write_images(parent: Path, n: int) -> None:
    """Noise, as JPEG files, and a table of their paths."""
    (parent / "images").mkdir()
    noise = np.random.default_rng(0)
    names = [f"images/{number}.jpg" for number in range(n)]
    for name in names:
        Image.fromarray(noise.integers(0, 256, (PIXELS, PIXELS, 3), np.uint8)).save(parent / name)
    (parent / "images.csv").write_text("\n".join(["image", *names]), encoding="utf-8")


def _processor_seconds(folder: Path, given: list[str]) -> float:
    """Of a command in a process of its own, start-up included."""
    paths = {**environment(), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "lacuna", "predict", *given], cwd=folder, env=paths, stderr=subprocess.PIPE
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(said.decode())
    return used.ru_utime + used.ru_stime
