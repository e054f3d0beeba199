import numpy as np
import pytest

from lacuna.core.predictions import Predictions
from lacuna.evaluation.class_report import class_table, write_classes
from lacuna.evaluation.scoring import score_validation
from lacuna.io.csv_files import read_csv
from tests.simulated_predictions import CALIBRATE, EVALUATE, TARGETS, simulate

PRIORS = [np.full(target.n_classes, 1 / target.n_classes) for target in TARGETS]


def score(predictions):
    return score_validation(TARGETS, predictions, PRIORS, CALIBRATE, EVALUATE)


def table_of(scored, path):
    write_classes(path, {"validation": scored, "test": scored[:1]}, 0.95)
    return read_csv(path)


def test_every_class_of_every_target_has_its_row(tmp_path):
    scored = score(simulate(200, signal=2, seed=0))
    rows = table_of(scored, tmp_path / "classes.csv")
    names = [(target.name, name) for target in TARGETS for name in target.classes]
    assert [(row["part"], row["target"], row["class"]) for row in rows] == [
        *(("validation", *name) for name in names),
        *(("test", *name) for name in names[:3]),
    ]
    for row in rows:
        found = next(of_target for of_target in scored if of_target.target.name == row["target"])
        number = found.target.classes.index(row["class"])
        known = found.labels >= 0
        actual, predicted = found.labels[known] == number, found.decisions[known] == number
        assert (int(row["support"]), int(row["predicted"])) == (actual.sum(), predicted.sum())
        assert float(row["precision"]) == pytest.approx((actual & predicted).sum() / predicted.sum(), abs=1e-6)
        assert float(row["recall"]) == pytest.approx((actual & predicted).sum() / actual.sum(), abs=1e-6)
        assert float(row["f1_low"]) < float(row["f1"]) < float(row["f1_high"])
        assert 0 < float(row["average_precision"]) <= 1


def test_the_mean_over_classes_is_the_targets_metric(tmp_path):
    scored = score(simulate(200, signal=2, seed=0))
    rows = [row for row in table_of(scored, tmp_path / "classes.csv") if row["target"] == "kind"][:3]
    for name in ("precision", "recall", "f1", "average_precision"):
        expected = scored[0].metrics[name][0]
        assert np.mean([float(row[name]) for row in rows]) == pytest.approx(expected, abs=1e-6)


def test_what_is_not_defined_is_empty_and_what_is_perfect_is_not_certain(tmp_path):
    perfect = simulate(60, signal=60, seed=0, copies=0)
    labels = perfect.labels.copy()
    labels[labels[:, 0] == 2, 0] = -1
    hats = perfect.logits.copy()
    hats[:, 2] = -100
    scored = score(Predictions(hats, labels, perfect.image, perfect.group))
    bag, _, hat = table_of(scored, tmp_path / "classes.csv")[:3]
    assert (hat["support"], hat["predicted"]) == ("0", "0")
    assert [hat[name] for name in ("precision", "recall", "f1", "f1_low", "f1_high", "average_precision")] == [""] * 6
    bound = 0.025 ** (1 / int(bag["support"]))
    assert (bag["f1"], bag["f1_high"]) == ("1.0", "1.0")
    assert float(bag["f1_low"]) == pytest.approx(2 * bound / (1 + bound), abs=1e-6)
    assert class_table(scored[0], 0.95).splitlines()[3].split() == ["hat", "0", "-", "-", "-"]


def test_the_table_for_people_has_a_line_per_class(tmp_path):
    scored = score(simulate(200, signal=2, seed=0))
    header, *lines = class_table(scored[0], 0.95).splitlines()
    assert header.split() == ["kind", "support", "precision", "recall", "F1"]
    rows = table_of(scored, tmp_path / "classes.csv")
    for line, row in zip(lines, rows, strict=False):
        ends = "-".join(f"{100 * float(row[name]):.0f}" for name in ("f1_low", "f1_high"))
        percents = [f"{100 * float(row[name]):.0f}" for name in ("precision", "recall", "f1")]
        assert line.split() == [row["class"], row["support"], *percents, f"[{ends}]"]
    assert len({len(line) for line in (header, *lines)}) == 1
