"""Peak anonymous memory of each stage with 1,000 and 10,000 fashion products, and with the 70,000 of Fashion-MNIST.

python -m benchmarks memory --fashion FOLDER

Fashion-MNIST is left out where `python -m lacuna fetch fashion_mnist` has nowhere to take it from.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.project import ROOT, change_params, environment, machine, make_project, run

NOT_MEASURED = {"sample", "track"}
"""They read none of these images."""

SETTINGS = {"augment.views": 2, "warmup.epochs": 1, "finetune.epochs": 1, "evaluate.bootstrap": 50}
FASHION = {"data.image_size": 96}
MNIST = {"features.sizes": [28], "baseline.cnn_epochs": 1}


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
    peaks: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as parent:
        for n in sizes:
            project = make_project(Path(parent) / str(n), fashion, n, SETTINGS | FASHION)
            peaks[f"{n:,} products"] = _peaks(project)
        if project := _fashion_mnist(Path(parent) / "mnist"):
            peaks["70,000 of Fashion-MNIST"] = _peaks(project)
    print(f"Peak anonymous memory in MiB, {machine()}\n")
    print(f"| stage | {' | '.join(peaks)} |\n|---|{'---|' * len(peaks)}")
    for stage in next(iter(peaks.values())):
        print(f"| {stage} | {' | '.join(f'{column[stage]:.0f}' for column in peaks.values())} |")


def _peaks(project: Path) -> dict[str, float]:
    """By stage, in the order in which DVC runs them."""
    graph = YAML(typ="safe").load(project / "dvc.yaml")["stages"]
    return {stage: peak_anonymous_memory(project, stage) for stage in graph if stage not in NOT_MEASURED}


def _fashion_mnist(project: Path) -> Path | None:
    subprocess.run(["git", "clone", "--quiet", ROOT, project], check=True)
    fetched = subprocess.run(
        [sys.executable, "-m", "lacuna", "fetch", "fashion_mnist"], cwd=project, env=environment(), check=False
    )
    if fetched.returncode:
        return None
    run(project, "-m", "lacuna", "use", "fashion_mnist")
    change_params(project, SETTINGS | MNIST)
    return project
