"""The service as a user starts it: a process of its own, with a bundle whose answers can be worked out by hand."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tiny_bundle import write_tiny_bundle

REPOSITORY = Path(__file__).parents[2]

FIGURES = {
    "colour": {
        "kind": "categorical",
        "n_known": 40,
        "accuracy": 0.8,
        "accuracy_low": 0.65,
        "accuracy_high": 0.9,
        "baseline_accuracy": 0.55,
        "verdict": "learned",
    },
    "red": {
        "kind": "binary",
        "n_known": 41,
        "precision": 0.75,
        "recall": 0.6,
        "f1": 0.667,
        "f1_low": 0.4,
        "f1_high": 0.85,
        "baseline_f1": 0.5,
        "verdict": "no signal shown",
    },
}
"""Test metrics as stage evaluate writes them."""


def write_described_bundle(folder: Path, linear: bool = True) -> Path:
    """The tiny bundle with FIGURES and an origin."""
    write_tiny_bundle(folder, linear=linear)
    path = folder / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["metrics"] = {"test": {"targets": FIGURES}}
    content["origin"] = {"images_sha256": "0a" * 32, "versions": {"lacuna": "0.1.0"}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


@contextmanager
def running_service(*options: str | Path, **environment: str) -> Iterator[str]:
    """Run `python -m lacuna serve` on a free port with these options; yield its address and end it afterwards."""
    command = [sys.executable, "-m", "lacuna", "serve", "--port", "0", *map(str, options)]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"at (http://\S+)", line):
                break
        else:
            raise AssertionError(f"the service did not start: {said}")
        yield found[1] + "/"
    finally:
        process.terminate()
        process.stderr.read()  # it must not block on a full pipe while it ends
        process.wait()
        process.stderr.close()
