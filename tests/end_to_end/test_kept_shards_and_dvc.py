"""Kept shards beside a real DVC: it deletes, links, protects and restores the outs that are the same files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.data.images.readers import FolderReader, WorkingForm
from lacuna.data.images.store import write_images
from lacuna.io.sharded_array import checksum, list_shards
from tests.dvc_project import commit, run, start_dvc, write_code
from tests.tiny_project import REPOSITORY, write_params

pytestmark = pytest.mark.slow

N = 600
CHANGES = {
    "data.source": "labels_txt", "data.path": "photos", "data.labels": "labels.txt", "data.targets": {"red": "binary"},
    "data.image_size": 32,
}  # fmt: skip


def paint(path: Path, number: int) -> None:
    Image.new("RGB", (32, 32), (number % 256, number // 256 * 80, 9)).save(path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project") / "root"
    (root / "photos").mkdir(parents=True)
    for number in range(N):
        paint(root / f"photos/b{number:03}.png", number)
    (root / "labels.txt").write_text("".join(f"b{number:03}.png {number % 2}\n" for number in range(N)))
    write_code(root)
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    write_params(root, CHANGES)
    start_dvc(root)
    commit(root)
    run(root, "dvc", "repro", "ingest")
    return root


def expected(root: Path, fresh: Path) -> str:
    """The checksum of the images as a run from nothing would leave them."""
    names = sorted(path.name for path in (root / "photos").iterdir())
    write_images(FolderReader(root / "photos"), names, WorkingForm(32, "pad", 50_000_000), fresh / "out", fresh)
    return checksum(fresh / "out")


def kept(root: Path) -> int:
    return len(list((root / "runs/cache/images").glob("*/*/receipt.json")))


def test_outs_are_as_from_nothing_whatever_dvc_and_others_did_to_them(project: Path, tmp_path: Path) -> None:
    pixels = project / "data/images/pixels"
    before, n_kept = checksum(pixels), kept(project)
    assert before == expected(project, tmp_path / "first")
    assert n_kept == len(list_shards(pixels)) > 1

    shutil.rmtree(project / "data/images")
    run(project, "dvc", "checkout", "data/images")
    assert checksum(pixels) == before

    for path in pixels.iterdir():  # by someone who does not mind that the files are read-only
        path.chmod(0o644)
        images = np.load(path, mmap_mode="r+")
        images[:] = 1
        images.flush()
    paint(project / "photos/b300b.png", 5)
    run(project, "dvc", "repro", "ingest")
    assert checksum(pixels) == expected(project, tmp_path / "second") != before
    assert len(list_shards(pixels)) == n_kept
    assert kept(project) == n_kept + 1

    run(project, "git", "checkout", "--quiet", "photos")
    (project / "photos/b300b.png").unlink()
    run(project, "dvc", "repro", "--force", "ingest")
    assert checksum(pixels) == before


def test_a_temporary_experiment_takes_what_the_project_keeps(project: Path) -> None:
    n_kept = kept(project)
    printed = run(project, "dvc", "exp", "run", "--temp", "-S", "data.duplicate_rms=0.03", "ingest")
    assert "Running stage 'ingest'" in printed
    assert kept(project) == n_kept
    run(project, "dvc", "exp", "run", "--temp", "-S", "data.image_size=40", "ingest")
    assert kept(project) == n_kept + len(list_shards(project / "data/images/pixels"))
