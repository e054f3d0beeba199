"""A real MLflow server in a process of its own, and bundles that are registered there."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lacuna.core.predictions import Predictions
from lacuna.inference.seen_images import SeenImages
from tests.tiny_bundle import PICK, write_tiny_bundle
from tests.tiny_project import REPOSITORY

PATIENCE_S = 300
N = 120


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Start one that keeps everything in `folder`, where its database may be already; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([*command, *store], stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _wait(process, f"{address}/health", folder / "server.log")
        yield address
    finally:
        os.killpg(process.pid, 15)  # the server has a process for each worker
        process.wait(PATIENCE_S)


def write_candidate(folder: Path, noise: float, first: int = 0, learned: range = range(9000, 9060)) -> Path:
    """A tiny bundle in a folder called bundle, whose test logits are the truth behind so much noise.

    Test images are numbered from `first`. The noisier its logits, the more its answers are those of a network that
    takes blue for green, so that a service shows which one it has.
    """
    numbers = first + np.arange(N)
    labels = np.stack([numbers % 2, numbers // 2 % 2], axis=1).astype(np.int16)
    present = np.stack([labels[:, 0] == 0, labels[:, 0] == 1, labels[:, 1] == 1], axis=1)
    generator = np.random.default_rng(int(noise * 10))
    logits = 2 * present - np.array([0, 0, 1]) + noise * generator.normal(size=present.shape)
    test = Predictions(logits.astype(np.float32), labels, np.array([f"{n}.png" for n in numbers]), np.arange(N))
    seen = SeenImages(np.array(learned, np.uint64), numbers.astype(np.uint64))
    pick = PICK if noise < 1 else [[row[1], row[0], row[2]] for row in PICK]
    return write_tiny_bundle(folder / "bundle", pick=pick, test=test, images=seen)


def register(bundle: Path, root: Path) -> None:
    """Log a run with this model into MLFLOW_TRACKING_URI, or the store in `root`, as stage track does."""
    from lacuna.tracking.content import Run
    from lacuna.tracking.register import describe_model
    from lacuna.tracking.run import log_run

    lock = REPOSITORY / "requirements-serve.txt"
    model = describe_model("lacuna", bundle, pixels=np.zeros((4, 4, 3), np.uint8), lock=lock)
    log_run(Run(bundle.parent.name, model=model), root=root, experiment="lacuna")


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(log.read_text())
