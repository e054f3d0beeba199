"""Processor seconds and peak memory of reading a large label file, of all of prepare, and of `init`.

python -m benchmarks labels --rows 1000000
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks.project import ROOT, change_params, environment, machine
from lacuna.core.files_table import write_files
from lacuna.core.working_image import Origin
from lacuna.io.csv_columns import write_csv_columns
from lacuna.io.csv_files import write_csv

N_TARGETS = 10
SHARES = {"1": 0.3, "0": 0.3, "NA": 0.4}
N_PICTURES = 10_000

READ = """
from pathlib import Path
from lacuna.config.load import load_params
from lacuna.data.labels.sources import read_labels
read_labels(load_params(Path("params.yaml")).data, [])
"""


def labels(n_rows: int) -> None:
    """Print a Markdown table: a label file of `n_rows` images and ten binary targets, and a folder of 10,000 images."""
    with tempfile.TemporaryDirectory() as parent:
        project = Path(parent) / "large"
        subprocess.run(["git", "clone", "--quiet", ROOT, project], check=True)
        _write_large(project, n_rows)
        pictures = Path(parent) / "pictures"
        _write_pictures(pictures)
        what = f"{n_rows:,} rows, {N_TARGETS} targets"
        measured = {
            f"reading the labels, {what}": _measure(project, "-c", READ),
            f"`prepare`, {what}": _measure(project, "-m", "stages.prepare"),
            f"`prepare` once more, from the parts it wrote down, {what}": _measure(project, "-m", "stages.prepare"),
            f"`init`, {N_PICTURES:,} images": _measure(project, "-m", "lacuna", "init", str(pictures)),
        }
    print(f"Start-up included, {machine()}\n\n| | processor seconds | peak memory, MiB |\n|---|---|---|")
    for name, (seconds, mib) in measured.items():
        print(f"| {name} | {seconds:.1f} | {mib:.0f} |")


def _write_large(project: Path, n_rows: int) -> None:
    """A label file, and what ingest would have left of its images, all different."""
    generator = np.random.default_rng(0)
    names = [f"{number:07}.jpg" for number in range(n_rows)]
    words = pa.array(list(SHARES))
    cells = {
        f"t{column}": words.take(pa.array(generator.choice(len(SHARES), n_rows, p=[*SHARES.values()])))
        for column in range(N_TARGETS)
    }
    write_csv_columns(project / "labels.csv", {"image": names} | cells)
    folder = project / "data/images"
    folder.mkdir(parents=True)
    digits = generator.bytes(32 * n_rows).hex()
    hashes = [digits[64 * number : 64 * number + 64] for number in range(n_rows)]
    origins = dict.fromkeys(names, Origin("JPEG", "RGB", 100, 100, 5000))
    write_files(folder / "files.csv", origins, np.arange(n_rows), hashes)
    write_csv(folder / "rejected.csv", ("image", "reason"), ())
    write_csv(folder / "left_out.csv", ("image",), ())
    targets = dict.fromkeys(cells, "binary")
    change_params(
        project, {"data.path": ".", "data.labels": "labels.csv", "data.group_column": "", "data.targets": targets}
    )


def _write_pictures(folder: Path) -> None:
    """Small pictures of noise, and a table of two targets."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    names = [f"{number:05}.jpg" for number in range(N_PICTURES)]
    for name in names:
        Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / name)
    kinds, red = generator.choice(["boot", "hat", "shoe"], N_PICTURES), generator.choice([*SHARES], N_PICTURES)
    write_csv(folder / "labels.csv", ("image", "kind", "red"), zip(names, kinds.tolist(), red.tolist(), strict=True))


def _measure(folder: Path, *arguments: str) -> tuple[float, float]:
    """Run Python in a project; return its processor seconds on all cores and its peak resident memory in MiB."""
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    peak, pid = 0, 0
    while not pid:  # not `ru_maxrss`, in which the memory of the process that starts another counts
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.01)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed in {folder}")
    return used.ru_utime + used.ru_stime, peak / 1024
