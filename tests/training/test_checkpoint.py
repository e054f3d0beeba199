"""When a checkpoint is kept, and which training may go on from it; how it goes on: test_loop.py."""

import shutil

import numpy as np
import pytest

from lacuna.io import recipe
from lacuna.training.checkpoint import CODE_OF_A_TRAINING, Checkpoint, fingerprint, open_checkpoint


class Killed(KeyboardInterrupt):
    pass


def test_a_checkpoint_is_removed_on_success_and_kept_on_failure(tmp_path):
    def fail() -> None:
        with open_checkpoint(tmp_path, "key") as checkpoint:
            checkpoint.path.parent.mkdir(parents=True)
            checkpoint.path.write_bytes(b"state")
            raise Killed

    with pytest.raises(Killed):
        fail()
    assert (tmp_path / "key/state.npz").exists()
    with open_checkpoint(tmp_path, "key"):
        pass
    assert not (tmp_path / "key").exists()


def test_a_damaged_checkpoint_starts_over(tmp_path, capsys):
    (tmp_path / "state.npz").write_bytes(b"PK\x03\x04 cut off")
    assert Checkpoint(tmp_path / "state.npz").load() is None
    assert "training starts over" in capsys.readouterr().out


def test_fingerprints_tell_trainings_apart():
    key = fingerprint("finetune", np.array([1, 2]))
    assert key == fingerprint("finetune", np.array([1, 2]))
    assert len({key, fingerprint("finetune", np.array([1, 3])), fingerprint("warmup", np.array([1, 2]))}) == 3


@pytest.fixture
def library(tmp_path, repository, monkeypatch):
    """A copy of the library whose code is digested in the place of the real one's."""
    folder = tmp_path / "lacuna"
    shutil.copytree(repository / "lacuna", folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(recipe, "LIBRARY", folder)
    return folder


def test_an_edit_of_what_trains_makes_another_training(library):
    keys = {fingerprint("finetune")}
    for path in ("core/targets.py", "features/backbones/mobilenet.py", "training/losses.py"):
        with (library / path).open("a") as file:
            file.write("# another loss\n")
        keys.add(fingerprint("finetune"))
    (library / "training/losses_of_mine.py").write_text("# a new file\n")
    keys.add(fingerprint("finetune"))
    assert len(keys) == 5


def test_an_edit_of_anything_else_leaves_an_interrupted_training_to_go_on(library):
    key = fingerprint("finetune")
    others = [path for path in library.rglob("*.py") if path.relative_to(library).parts[0] not in CODE_OF_A_TRAINING]
    assert {"serving", "evaluation", "config", "cli.py"} <= {path.relative_to(library).parts[0] for path in others}
    for path in others:
        path.write_text("# another file\n")
    assert fingerprint("finetune") == key
