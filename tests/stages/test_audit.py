"""The stage audit on projects of which the truth is known."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.analysis.audit.audit import audit_targets, telling_fields
from lacuna.analysis.audit.metadata import describe_files
from lacuna.analysis.audit.projection import project
from lacuna.analysis.audit.report import random_copies
from lacuna.analysis.audit.tables import write_to_label_test
from lacuna.core.feature_store import ColumnBlock, FeatureInfo, FeatureLayout, FeatureStore
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Target, Targets
from lacuna.io.atomic import read_json
from lacuna.io.csv_files import read_csv, write_csv
from lacuna.presentation.audit_verdicts import MetadataVerdict, MissingVerdict, SignalVerdict
from stages.audit import audit
from tests.shards import load_rows, save_rows

TARGETS = Targets(
    (
        Target("red", "binary", ("absent", "present")),
        Target("kind", "categorical", ("bag", "hat", "shoe")),
        Target("noise", "binary", ("absent", "present")),
    )
)
N = 240
OUTS = ("data/audit", "metrics/audit.json", "plots/audit")


@pytest.fixture
def featurized(tiny_project):
    """Return a function that writes what the stages before audit leave: red and kind can be seen, noise cannot.

    `spoil(files, labels, generator)` may change the files' properties and the labels of the 240 images, of which the
    last 40 are copies of the first.
    """

    def write(seed=0, spoil=None, **changes):
        params = tiny_project({"audit.permutations": 199, **changes})
        generator = np.random.default_rng(seed)
        copies = np.concatenate([np.arange(N - 40), np.arange(40)])
        truth = np.stack([generator.integers(0, size, N - 40) for size in (2, 3, 2)], axis=1)[copies]
        features = generator.normal(size=(N - 40, 10))[copies] + 0.05 * generator.normal(size=(N, 10))
        features[:, 0] += 3 * truth[:, 0]
        features[:, 1:4] += 3 * np.eye(3)[truth[:, 1]]
        labels = np.where(generator.random((N, 3)) < 0.15, -1, truth).astype(np.int16)
        split = np.array(["train", "train", "train", "val", "test"])[np.arange(N - 40) % 5][copies]
        files = {
            "format": np.array(["PNG", "JPEG"])[generator.integers(0, 2, N)],
            "mode": np.array(["RGB"] * N),
            "width": np.full(N, 40),
            "height": np.full(N, 40),
            "bytes": generator.integers(500, 900, N),
        }
        if spoil:
            spoil(files, labels, generator)
        for folder in ("data/images", "data/features", "data/prepared"):
            Path(folder).mkdir(parents=True, exist_ok=True)
        save_rows("data/images/pixels", generator.integers(0, 256, (N, 12, 12, 3), dtype=np.uint8))
        save_rows("data/features/features", features[:, None].astype(np.float32))
        block = ColumnBlock(8, "top", "mean", features.shape[1], top=True)
        FeatureInfo(FeatureLayout((block,)), "", 1, "none are needed", "").save(Path("data/features"))
        names = [f"{row}.png" for row in range(N)]
        columns = (names, range(N), copies, *(files[name] for name in files))
        write_csv(Path("data/images/files.csv"), ("image", "row", "group", *files), zip(*columns, strict=True))
        Manifest(np.array(names), np.arange(N), split, copies, labels).save(Path("data/prepared/manifest.csv"), TARGETS)
        TARGETS.save(Path("data/prepared/targets.json"))
        return params

    return write


def test_unlabelled_test_cells_are_listed_once_a_group_and_without_a_hint(featurized):
    params = featurized()
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), TARGETS).part("test")
    write_to_label_test(Path("to_label_test.csv"), manifest, TARGETS, params.audit.seed, escapes=True)
    rows = read_csv(Path("to_label_test.csv"))
    unknown = {
        (image, name)
        for image, labels in zip(manifest.image.tolist(), manifest.labels, strict=True)
        for name, label in zip(TARGETS.names, labels.tolist(), strict=True)
        if label < 0
    }
    groups = dict(zip(manifest.image.tolist(), manifest.group.tolist(), strict=True))
    listed = [(row["image"], row["target"]) for row in rows]
    assert rows
    assert set(listed) <= unknown
    images = {image for image, _ in listed}
    assert len({groups[image] for image in images}) == len(images)
    assert {name for _, name in listed} == set(TARGETS.names)
    assert list(rows[0]) == ["image", "target", "given", "corrected", "split"]
    assert {(row["given"], row["corrected"], row["split"]) for row in rows} == {("NA", "", "test")}
    order = [manifest.image.tolist().index(image) for image in dict.fromkeys(image for image, _ in listed)]
    assert order != sorted(order)


def figures():
    return read_json(Path("metrics/audit.json"))["targets"]


def digests():
    files = [path for out in OUTS for path in ([Path(out)] if out.endswith(".json") else sorted(Path(out).rglob("*")))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}


def test_what_the_stage_says_and_writes(featurized, capsys):
    facts = audit(featurized())
    printed = capsys.readouterr().out
    found = figures()
    assert [one["verdict"] for one in found.values()] == ["learnable", "learnable", "no signal"]
    assert facts["conclusion"] == "2 of 3 targets are learnable; not noise (no signal)"
    assert f"{facts['conclusion']}." in printed
    assert found["red"]["roc_auc_low"] < found["red"]["roc_auc"] < found["red"]["roc_auc_high"]
    assert {one["metadata"]["verdict"] for one in found.values()} == {"nothing shown"}
    assert {one["missing"]["verdict"] for one in found.values()} == {"no dependence shown"}
    assert found["red"]["duplicates"]["conflicting"] == 0
    assert not {"label_issues", "to_label", "learning_curve"} & set(found["noise"])
    assert read_json(Path("metrics/audit.json"))["duplicates_across_splits"] == dict.fromkeys(
        ("train_val", "train_test", "val_test"), 0
    )
    assert {row["split"] for row in read_csv(Path("data/audit/to_label_test.csv"))} == {"test"}
    for table in ("label_issues", "to_label", "conflicts"):
        assert Path(f"data/audit/{table}.csv").read_text().startswith("image,target,given,corrected,")
    for picture in ("signal", "metadata", "learning_curve", "to_label"):
        with Image.open(f"plots/audit/{picture}.png") as image:
            assert 400 < image.width < 1800
    assert sum(found["red"]["to_label"]["likeliest"].values()) == found["red"]["to_label"]["cells"]
    curve = read_csv(Path("plots/audit/learning_curve/red.csv"))
    assert [float(row["roc_auc"]) for row in curve] == [
        found["red"]["learning_curve"][share]["roc_auc"] for share in ("10", "25", "50", "100")
    ]


@pytest.mark.slow
def test_running_again_changes_no_byte_whatever_the_test_part_holds(featurized):
    params = featurized()
    audit(params)
    before = digests()
    assert len(before) >= 10
    tables = set(Path("data/audit").glob("*.csv")) - {Path("data/audit/to_label_test.csv")}
    names = {line["image"] for path in tables for line in read_csv(path)}
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), TARGETS)
    test = manifest.split == "test"
    assert not names & set(manifest.image[test].tolist())

    labels = manifest.labels.copy()
    others = np.random.default_rng(1).integers(0, 2, (test.sum(), 3))
    labels[test] = np.where(labels[test] < 0, -1, others)  # which are unknown is read: to_label_test.csv
    Manifest(manifest.image, manifest.row, manifest.split, manifest.group, labels).save(
        Path("data/prepared/manifest.csv"), TARGETS
    )
    for array in ("data/images/pixels", "data/features/features"):
        content = load_rows(array)
        content[test] = 255
        save_rows(array, content)
    files = read_csv(Path("data/images/files.csv"))
    rows = [
        [*line.values()][:3] + (["GIF", "L", 9, 9, 9] if test[row] else [*line.values()][3:])
        for row, line in enumerate(files)
    ]
    write_csv(Path("data/images/files.csv"), list(files[0]), rows)
    audit(params)
    assert digests() == before


def by_format(files, labels, generator):
    files["format"] = np.where(labels[:, 2] == 1, "JPEG", "PNG")


def hidden(files, labels, generator):
    labels[np.where(labels[:, 0] == 1, generator.random(N) < 0.9, generator.random(N) < 0.1), 1] = -1


def contradicting(files, labels, generator):
    labels[N - 40 :, 0] = 1 - labels[:40, 0]
    labels[labels > 1] = -1
    labels[:, 1] = np.where(labels[:, 1] < 0, 2, labels[:, 1])


def confounded_by_format(one):
    return one.metadata == MetadataVerdict.CONFOUNDED and telling_fields(one.fields)[0][0] == "format"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "target", "finds"),
    [
        (by_format, 2, confounded_by_format),
        (hidden, 1, lambda one: one.missing == MissingVerdict.DEPENDS),
        (contradicting, 0, random_copies),
        (None, 0, lambda one: one.signal == SignalVerdict.LEARNABLE),
    ],
)
def test_what_is_planted_is_found(featurized, monkeypatch, spoil, target, finds):
    for name in ("find_issues", "learning_curve"):  # no part of these verdicts, and most of the work
        monkeypatch.setattr(f"lacuna.analysis.audit.audit.{name}", lambda *_: None)
    found = []
    for seed in range(20):
        params = featurized(seed, spoil)
        manifest = Manifest.load(Path("data/prepared/manifest.csv"), TARGETS).without_test()
        features = project(FeatureStore.open(Path("data/features")).features, manifest.row)
        fields = describe_files(Path("data/images/files.csv"), manifest.row, load_rows("data/images/pixels"), "pad")
        copies = manifest.group
        found.append(finds(audit_targets(TARGETS, manifest, features, fields, copies, 0.95, params.audit)[target]))
    assert sum(found) >= 19


@pytest.mark.slow
def test_a_confound_is_said_with_its_field(featurized, capsys):
    audit(featurized(0, by_format))
    assert "warning: noise is confounded: the files' properties alone tell it, by format (AUC 1.00)" in (
        capsys.readouterr().out
    )
    assert figures()["red"]["metadata"]["verdict"] == "nothing shown"


@pytest.mark.slow
def test_missing_labels_that_depend_on_the_image_are_said(featurized, capsys):
    audit(featurized(0, hidden))
    assert "kind: which labels are missing depends on the image" in capsys.readouterr().out


@pytest.mark.slow
def test_contradicting_copies_are_said_listed_and_shown(featurized, capsys):
    audit(featurized(0, contradicting))
    assert "groups of duplicates contradict each other, labels drawn at random would in" in capsys.readouterr().out
    rows = read_csv(Path("data/audit/conflicts.csv"))
    groups = {}
    for row in rows:
        groups.setdefault((row["target"], row["group"]), set()).add(row["given"])
    assert len(groups) >= 20
    assert all(len(given) > 1 for given in groups.values())
    assert Path("plots/audit/conflicts.png").is_file()


def test_an_older_ingest_is_named(featurized, run_stage_here, one_line):
    featurized()
    files = read_csv(Path("data/images/files.csv"))
    write_csv(Path("data/images/files.csv"), ("image", "row", "group"), [[*line.values()][:3] for line in files])
    assert "data/images/files.csv: no column format, mode, width, height, bytes; run dvc repro ingest" in one_line(
        run_stage_here("audit")
    )
    assert not Path("data/audit").exists()
