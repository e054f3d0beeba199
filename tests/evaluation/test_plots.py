"""The picture of how both phases were chosen."""

import numpy as np
import pytest
from PIL import Image

from lacuna.core.targets import Target, Targets
from lacuna.evaluation.plots import plot_loss_curve
from lacuna.training.exact_path import PathStep, write_path
from lacuna.training.history import write_history

TARGETS = Targets((Target("face", "binary", ("no", "yes")),))
BEGAN = {"epoch": 0, "val_loss": 0.4, "val_log_loss": 0.42}
EPOCHS = [BEGAN, *({"epoch": e, "loss": 0.3, "log_loss": 0.4 / e, "val_log_loss": 0.3 + 0.02 * e} for e in (1, 2, 3))]
PATH = {
    "face": [PathStep(1.0, 0.7, False), PathStep(0.1, 0.5, True), PathStep(0.01, 0.6, False)],
    "a target of a very long name": [PathStep(1.0, 0.3, True), PathStep(0.1, 0.9, False)],
    **{f"more {i}": [PathStep(0.1, 0.2, True)] for i in range(5)},
    "given": [PathStep(0.3, None, True)],
    "unknown": [],
}
GIVEN = {"face": [PathStep(0.3, None, True)]}


@pytest.mark.parametrize(
    ("warmup", "finetune", "path", "panels"),
    [
        ([], EPOCHS, PATH, 2),
        (EPOCHS, EPOCHS, {}, 2),
        (EPOCHS, [], {}, 1),
        ([], [], PATH, 1),
        ([], EPOCHS[:2], GIVEN, 1),
        ([], [], GIVEN, 1),
        ([], [{"epoch": 0}, {"epoch": 1, "loss": 0.1, "log_loss": 0.1}], GIVEN, 1),
    ],
    ids=["exact", "descent", "head by descent", "exact head", "given", "nothing to show", "no label in validation"],
)
def test_every_way_to_train_has_its_panels_and_the_same_bytes_twice(tmp_path, warmup, finetune, path, panels):
    files = [tmp_path / name for name in ("warmup.csv", "finetune.csv", "path.csv")]
    write_history(files[0], "warmup", warmup, len(warmup) - 1, TARGETS)
    write_history(files[1], "finetune", finetune, min(1, len(finetune) - 1), TARGETS)
    write_path(files[2], path)
    pictures = [tmp_path / f"{name}.png" for name in ("one", "two")]
    for picture in pictures:
        plot_loss_curve(picture, *files)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    pixels = np.asarray(Image.open(pictures[0]).convert("L"))
    height, width = pixels.shape
    assert (width / height > 2.4) is (panels == 2)
    for panel in np.array_split(pixels, panels, axis=1):
        assert (panel < 128).mean() > 0.005  # none is blank
