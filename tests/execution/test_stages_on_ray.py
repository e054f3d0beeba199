"""The stages themselves with `execution.engine: ray`: the same outs to the byte, the network built by the workers."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.execution.ray_cluster import ENVIRONMENT, RayCluster, ray_cluster
from tests.tiny_project import write_params

__all__ = ["ray_cluster"]

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {"data.image_size": 32, "data.path": "photos", "augment.views": 2}
OUTS = ("data/images", "data/features")


def run_stages(folder: Path, changes: dict[str, Any], python: Path) -> dict[str, bytes]:
    """What ingest and featurize put out in a folder, by path."""
    write_params(folder, {**SMALL, **changes})
    repository = str(Path(__file__).parents[2])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": repository}
    for stage in ("ingest", "featurize"):
        subprocess.run([python / "python", "-m", f"stages.{stage}"], cwd=folder, env=environment, check=True)
    paths = [path for out in OUTS for path in (folder / out).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_outs_of_a_cluster_are_those_of_one_process(ray_cluster: RayCluster, tmp_path: Path, python: Path) -> None:
    (tmp_path / "local/photos").mkdir(parents=True)
    draws = np.random.default_rng(0)
    for number in range(300):  # two shards by these names
        pixels = draws.integers(0, 256, (4, 4, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        Image.fromarray(pixels).save(tmp_path / f"local/photos/x{number:03}.png")
    shutil.copytree(tmp_path / "local/photos", tmp_path / "ray/photos")
    expected = run_stages(tmp_path / "local", {}, python)
    assert {path.rpartition("/")[0] for path in expected} >= {"data/features/features", "data/features/boundary"}
    changes = {"execution.engine": "ray", "execution.address": ray_cluster.address}
    found = run_stages(tmp_path / "ray", changes, python)
    assert found == expected
