"""The audit's parts on data of which the truth is known: leaks, label issues, what to label, learning curves."""

import numpy as np
import pytest

from lacuna.analysis.audit.duplicate_labels import agreement, count_across
from lacuna.analysis.audit.label_issues import find_issues
from lacuna.analysis.audit.learning_curve import LearningCurve, learning_curve
from lacuna.analysis.audit.metadata import FIELDS, describe_files, together
from lacuna.analysis.audit.projection import COMPONENTS, project
from lacuna.analysis.audit.signal import run_probe
from lacuna.analysis.audit.to_label import SURE, rank_unknown
from lacuna.core.files_table import read_files
from lacuna.core.pixels import brightness
from lacuna.core.targets import TOO_RARE
from lacuna.errors import LacunaError
from lacuna.io.csv_files import write_csv
from lacuna.presentation.audit_verdicts import CurveVerdict
from tests.simulated_labels import AUDIT, simulate


def measured(features, labels, group, n_classes=2):
    return run_probe(features, labels, group, n_classes, 0, 0.95, AUDIT)


def test_copies_across_parts_are_counted_by_pair_of_parts():
    copies = np.array([0, 0, 1, 1, 2, 2, 2, 3])
    split = np.array(["train", "val", "train", "train", "train", "val", "test", "test"])
    assert count_across(copies, split) == {"train_val": 2, "train_test": 1, "val_test": 1}


def test_conflicts_beside_chance_by_hand():
    labels = np.array([1, 0, 1, 1, 0, -1, 0, 0, 1, 0])
    copies = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5, 6])
    found = agreement(labels, copies)
    half = 1 - (4 / 9) ** 2 - (5 / 9) ** 2
    assert (found.groups, found.conflicting) == (2, 1)
    assert found.by_chance == pytest.approx(2 * half)
    assert found.p == pytest.approx(1 - half**2)
    assert found.rows.tolist() == [0, 1]


def test_labels_that_agree_are_told_from_labels_drawn_at_random():
    generator = np.random.default_rng(0)
    copies = np.repeat(np.arange(40), 2)
    truth = generator.integers(0, 2, 40)[copies]
    assert agreement(truth, copies).p < 1e-6
    random = [agreement(generator.integers(0, 2, 80), copies).p for _ in range(20)]
    assert sum(p > 0.05 for p in random) >= 17


def test_no_copies_no_conflict():
    found = agreement(np.array([0, 1, -1]), np.arange(3))
    assert (found.groups, found.conflicting, found.p) == (0, 0, 1)


@pytest.fixture
def files(tmp_path):
    header = ("image", "row", "group", "format", "mode", "width", "height", "bytes")
    rows = [
        (f"{n}.png", n, n, ("PNG", "JPEG", "GIF")[n % 3], "RGB", 40, 40 if n % 2 else 60, 1000 + n) for n in range(40)
    ]
    path = tmp_path / "files.csv"
    write_csv(path, header, rows)
    return path


def test_files_become_columns_and_constants_none(files):
    images = np.broadcast_to(np.arange(40, dtype=np.uint8)[:, None, None, None], (40, 4, 4, 3))
    rows = np.arange(0, 40, 2)
    fields = describe_files(files, rows, images, "stretch")
    assert {name: columns.shape for name, columns in fields.items()} == {
        "format": (20, 3),
        "mode": (20, 0),
        "width": (20, 0),
        "height": (20, 0),
        "bytes": (20, 8),
        "brightness": (20, 8),
    }
    assert tuple(fields) == FIELDS
    assert (fields["bytes"].sum(axis=1) == 1).all()
    assert together(fields).shape == (20, 19)
    assert brightness(images, rows, [read_files(files)[row] for row in rows], "stretch").tolist() == rows.tolist()


def test_files_of_an_older_ingest_are_named(tmp_path):
    write_csv(tmp_path / "files.csv", ("image", "row", "group"), [("a.png", 0, 0)])
    with pytest.raises(LacunaError, match="no column format, mode, width, height, bytes; run dvc repro ingest"):
        describe_files(tmp_path / "files.csv", np.arange(1), np.zeros((1, 4, 4, 3), np.uint8), "pad")


def test_flipped_labels_are_among_those_of_the_lowest_quality():
    found = []
    for seed in range(5):
        features, labels, group = simulate(seed, n=200, copies=40, signal=4, known=0.9)
        known = np.flatnonzero(labels >= 0)
        flipped = np.random.default_rng(seed).choice(known, len(known) * 3 // 100, replace=False)
        labels[flipped] = 1 - labels[flipped]
        issues = find_issues(features, labels, measured(features, labels, group), 2)
        most = np.argsort(issues.quality, kind="stable")[: len(known) // 10]
        found.append(np.isin(flipped, issues.rows[most]).mean())
        assert set(issues.rows.tolist()) == set(known.tolist())
        listed = issues.listed()
        assert (issues.given[listed] != issues.likeliest[listed]).all()
        assert (np.diff(issues.quality[listed]) >= 0).all()
    assert np.mean(found) >= 0.8


def test_a_rare_class_is_neither_judged_nor_foretold():
    features, labels, group = simulate(0, n=150, copies=0, signal=4)
    labels[np.flatnonzero(labels == 0)[:4]] = 2
    labels[np.flatnonzero(labels == 0)[:40]] = 3
    probed = measured(features, labels, group, 4)
    assert probed.skipped == {2: 4}
    issues = find_issues(features, labels, probed, 4)
    assert not np.isin(2, issues.given)
    assert not (labels[issues.rows] == 2).any()
    assert not (rank_unknown(features, labels, group, issues).likeliest == 2).any()


def test_what_to_label_next_is_what_lies_between_the_classes():
    features, truth, group = simulate(0, n=400, copies=100, signal=8, known=1)
    labels = np.where(np.random.default_rng(0).random(len(truth)) < 0.3, -1, truth)
    labels[labels < 0] = np.where(np.arange((labels < 0).sum()) % 4 == 0, TOO_RARE, -1)  # has a label, is not wanted
    wanted = rank_unknown(features, labels, group, find_issues(features, labels, measured(features, labels, group), 2))
    assert (labels[wanted.rows] == -1).all()
    assert len(np.unique(group[wanted.rows])) == len(wanted.rows) == len(np.unique(group[labels == -1]))
    assert (np.diff(wanted.value) <= 0).all()
    middle = np.abs(features[wanted.rows, 0] - 4)
    assert middle[:20].mean() < 0.6 * middle[-20:].mean()
    sure = wanted.sure
    assert sure.any()
    assert (wanted.probability[sure] >= SURE).all()
    assert (wanted.likeliest[sure] == truth[wanted.rows][sure]).mean() >= 0.95


def test_nothing_is_suggested_where_sureness_was_not_right():
    features, labels, group = simulate(0, n=300, signal=8, known=0.8)
    wrong = np.random.default_rng(0).random(len(labels)) < 0.2
    labels = np.where((labels >= 0) & wrong, 1 - labels, labels)
    wanted = rank_unknown(features, labels, group, find_issues(features, labels, measured(features, labels, group), 2))
    assert not wanted.sure.any()


def test_more_labels_help_where_there_are_few_and_not_where_all_is_known():
    hard = simulate(0, n=300, copies=0, dimensions=60, signal=2, known=1)
    easy = simulate(0, n=800, copies=0, dimensions=3, signal=4, known=1)
    curves = [learning_curve(*data, measured(*data), 0) for data in (hard, easy)]
    assert [curve.verdict for curve in curves] == [CurveVerdict.RISING, CurveVerdict.LEVEL]
    assert curves[0].labels == (24, 60, 120, 240)
    assert curves[0].auc[0] < curves[0].auc[2] < curves[0].auc[3]
    assert curves[0].auc[3] == pytest.approx(measured(*hard).auc, abs=0.01)


@pytest.mark.parametrize(
    ("gain", "error", "verdict"),
    [
        (0.03, 0.01, CurveVerdict.RISING),
        (0.03, 0.02, CurveVerdict.NOT_TOLD),  # it may be 0 or 0.07
        (0.0, 0.02, CurveVerdict.NOT_TOLD),
        (0.004, 0.001, CurveVerdict.LEVEL),
        (-0.01, 0.01, CurveVerdict.LEVEL),
    ],
)
def test_a_curve_is_level_only_where_a_gain_worth_having_can_be_ruled_out(gain, error, verdict):
    assert LearningCurve((20, 50, 100, 200), (0.67, 0.8, 0.89, 0.92), gain, error).verdict == verdict


def test_projection_keeps_distances_in_order_and_looks_at_its_rows_only():
    generator = np.random.default_rng(0)
    pooled = (generator.normal(size=(300, 2, 20)) * np.arange(1, 21)).astype(np.float32)
    rows = np.arange(0, 200, 2)
    projected = project(pooled, rows)
    assert projected.shape == (100, 20)
    assert projected.mean(axis=0) == pytest.approx(np.zeros(20), abs=1e-5)
    assert (projected**2).mean() == pytest.approx(1)
    assert np.corrcoef(projected.T) == pytest.approx(np.eye(20), abs=1e-4)
    pooled[200:] = 0
    pooled[1::2] = 0
    pooled[:, 1] = 0
    assert (project(pooled, rows) == projected).all()


def test_projection_looks_at_every_column_alike_and_at_constant_ones_not_at_all():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 1, 8)).astype(np.float32)
    scaled = np.concatenate([features * 10.0 ** np.arange(-3, 5), np.full((200, 1, 2), 7)], axis=2).astype(np.float32)
    projected = project(scaled, np.arange(200))
    assert projected.shape == (200, 8)
    assert np.abs(projected) == pytest.approx(np.abs(project(features, np.arange(200))), rel=1e-3, abs=1e-3)


def test_projection_of_many_or_constant_features():
    pooled = np.random.default_rng(0).normal(size=(400, 1, 300)).astype(np.float32)
    assert project(pooled, np.arange(400)).shape == (400, COMPONENTS)
    assert project(np.ones((10, 1, 4), np.float32), np.arange(10)).tolist() == [[0]] * 10
