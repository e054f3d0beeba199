"""Peak anonymous memory of each stage with 1,000 and with 10,000 images.

python -m benchmarks memory --fashion FOLDER
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.project import environment, machine, make_project

STAGES = ("ingest", "prepare", "featurize", "train_warmup", "train_finetune", "calibrate", "evaluate", "export")
SETTINGS = {"data.image_size": 96, "augment.views": 2, "finetune.epochs": 1, "evaluate.bootstrap": 50}


def peak_anonymous_memory(project: Path, stage: str) -> float:
    """Run a stage; return the largest RssAnon of its process, in MiB. A memory map's pages do not count in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}"], cwd=project, env=environment(), stdout=subprocess.DEVNULL
    )
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))])
        time.sleep(0.01)
    if process.wait():
        sys.exit(f"{stage} failed in {project}")
    return peak / 1024


def memory(fashion: Path, sizes: tuple[int, int]) -> None:
    """Print a Markdown table of peaks in MiB."""
    peaks: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with tempfile.TemporaryDirectory() as parent:
        for n in sizes:
            project = make_project(Path(parent) / str(n), fashion, n, SETTINGS)
            for stage in STAGES:
                peaks[stage].append(peak_anonymous_memory(project, stage))
    print(f"Peak anonymous memory in MiB, {machine()}\n")
    print(f"| stage | {sizes[0]:,} images | {sizes[1]:,} images |\n|---|---|---|")
    for stage, (small, large) in peaks.items():
        print(f"| {stage} | {small:.0f} | {large:.0f} |")
