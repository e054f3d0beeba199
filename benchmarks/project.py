"""Projects to measure in: a clone of the committed code over some of the fashion products."""

import csv
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


def make_project(folder: Path, fashion: Path, n_images: int, changes: dict[str, Any]) -> Path:
    """Clone the repository to `folder`, lay `n_images` random products below data/raw, set the params."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    with (fashion / "styles.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    rows = [row for row in rows if len(row) == len(header) and (fashion / "images" / f"{row[0]}.jpg").exists()]
    chosen = np.random.default_rng(0).permutation(len(rows))[:n_images]
    raw = folder / "data/raw"
    (raw / "images").mkdir(parents=True)
    with (raw / "styles.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for i in sorted(chosen):
            writer.writerow(rows[i])
            shutil.copy(fashion / "images" / f"{rows[i][0]}.jpg", raw / "images")
    run(folder, "-m", "lacuna", "use", "fashion_products")
    change_params(folder, changes)
    return folder


def change_params(folder: Path, changes: dict[str, Any]) -> None:
    """Set parameters by their dotted keys."""
    yaml = YAML()
    content = yaml.load(folder / "params.yaml")
    for key, value in changes.items():
        *blocks, name = key.split(".")
        block = content
        for part in blocks:
            block = block[part]
        block[name] = value
    yaml.dump(content, folder / "params.yaml")


def run(folder: Path, *arguments: str) -> float:
    """Run Python in a project; return the processor seconds it took on all cores, start-up included."""
    before = _of_children()
    _run([sys.executable, *arguments], folder)
    return _of_children() - before


def dvc(folder: Path, *arguments: str) -> float:
    """Run DVC in a project; return the seconds that its user waits, start-up included."""
    start = time.perf_counter()
    _run([str(Path(sys.executable).with_name("dvc")), *arguments], folder)
    return time.perf_counter() - start


def environment() -> dict[str, str]:
    """So that DVC finds this Python, and a project imports its own code."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": "."}


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _of_children() -> float:
    """Processor seconds of all processes so far that this one has started and waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def machine() -> str:
    """The machine in words, for the tables."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{os.cpu_count()} cores, {models[0].partition(':')[2].strip() if models else 'unknown processor'}"
