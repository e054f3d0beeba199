"""The stage explain on a tiny network with random weights."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json
from lacuna.io.csv_files import read_csv, write_csv
from tests.feature_files import write_store
from tests.project_population import write_population
from tests.shards import load_rows, save_rows
from tests.trained_model import write_trained

SIZE, N, N_VAL = 32, 120, 60
TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
SMALL = {
    "backbone.name": "small_cnn",
    "backbone.weights": "none",
    "data.image_size": SIZE,
    "evaluate.bootstrap": 60,
    "explain.images": 12,
    "explain.points": 50,
    "features.sizes": [0],
}


@pytest.fixture
def trained(tiny_project):
    """Return a function that makes a project at the point where `explain` runs, from changed parameters."""

    def make(targets=TARGETS, n_val=N_VAL, **changes):
        from lacuna.calibration.model import Calibration, TargetCalibration
        from lacuna.export.convert import export_network
        from lacuna.inference.runtimes import load_network
        from lacuna.training.trained import load_trained

        params = tiny_project({**SMALL, **changes})
        for folder in ("data/images", "data/prepared", "data/predictions", "models"):
            Path(folder).mkdir(parents=True)
        generator = np.random.default_rng(0)
        labels = np.stack([generator.integers(0, target.n_classes, N) for target in targets], axis=1).astype(np.int16)
        images = generator.integers(0, 156, (N, SIZE, SIZE, 3), dtype=np.uint8)
        images[labels[:, -1] == 1, 8:20, 8:20, 0] += 99
        labels[generator.random(labels.shape) < 0.2] = -1
        save_rows("data/images/pixels", images)
        names = [f"{row}.png" for row in range(N)]
        origins = [("PNG" if row % 2 else "JPEG", "RGB", 40 + row, 40, 999) for row in range(N)]
        lines = [(name, row, row, *origin) for row, (name, origin) in enumerate(zip(names, origins, strict=True))]
        header = ("image", "row", "group", "format", "mode", "width", "height", "bytes")
        write_csv(Path("data/images/files.csv"), header, lines)
        targets.save(Path("data/prepared/targets.json"))
        targets.save(Path("data/predictions/targets.json"))
        split = np.array(["train"] * 30 + ["val"] * n_val + ["test"] * (N - 30 - n_val))
        rows = np.arange(N, dtype=np.int64)
        manifest = Manifest(np.array(names), rows, split, rows, labels)
        manifest.save(Path("data/prepared/manifest.csv"), targets)

        write_trained(params, SIZE, targets)
        network = load_trained(params.backbone, params.features, SIZE, targets, Path("models/trained"))
        Path("models/export").mkdir()
        export_network(network, Path("models/export"))
        features = load_network(Path("models/export"), "openvino")(images).features
        write_store(Path("data/features"), features, network.layout)
        for part in ("val", "test"):
            one = manifest.part(part)
            logits = network.model.predict(images[one.row], verbose=0)
            Predictions(logits, one.labels, one.image, one.group).save(Path(f"data/predictions/{part}.npz"))
        write_population(params)
        Calibration(
            {
                target.name: TargetCalibration("binary", 1.0, (0.0,), (0.0,), "fixed", 0.5, 0.5, 0.5, 50, 20, ())
                if target.kind == "binary"
                else TargetCalibration(
                    "categorical", 1.0, zeros(target), zeros(target), "argmax", None, None, None, 50, None, ()
                )
                for target in targets
            }
        ).save(Path("models/calibration.json"))
        return params

    return make


def zeros(target):
    return (0.0,) * target.n_classes


def run_and_hash(params):
    from stages.explain import explain

    facts = explain(params)
    files = [Path("metrics/explain.json"), *sorted(path for path in Path("plots").rglob("*") if path.is_file())]
    return facts, {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_what_the_stage_writes_twice_the_same_and_whatever_the_test_part_holds(trained, capsys):
    params = trained()
    facts, before = run_and_hash(params)
    assert facts["notes"][0] in capsys.readouterr().out
    assert set(before) == {
        "metrics/explain.json",
        *(
            f"plots/explain/{name}"
            for name in (
                "confused/kind.png",
                "confused_pairs.csv",
                "embedding.csv",
                "embedding/kind.png",
                "embedding/red.png",
                "examples.csv",
                "examples/kind.png",
                "examples/red.png",
                "faithfulness.png",
                "slices.csv",
                "slices.png",
            )
        ),
    }
    content = read_json(Path("metrics/explain.json"))
    assert content["maps"] == "class activation"
    assert content["targets"]["kind"]["faithfulness"]["images"] == 12
    slices = read_csv(Path("plots/explain/slices.csv"))
    assert [(row["by"], row["slice"]) for row in slices if row["by"] == "format" and row["target"] == "red"]
    assert not [row for row in slices if row["by"] == row["target"]]
    assert content["targets"]["kind"]["slices_tested"] == sum(row["target"] == "kind" for row in slices)
    validation = {f"{row}.png" for row in range(30, 30 + N_VAL)}
    for table in ("examples", "embedding"):
        assert {row["image"] for row in read_csv(Path(f"plots/explain/{table}.csv"))} <= validation
    assert len(read_csv(Path("plots/explain/embedding.csv"))) == 50

    images = load_rows("data/images/pixels")
    images[30 + N_VAL :] = 77
    save_rows("data/images/pixels", images)
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), TARGETS)
    manifest.labels[manifest.split == "test"] = 0
    manifest.save(Path("data/prepared/manifest.csv"), TARGETS)
    Path("data/predictions/test.npz").unlink()
    assert run_and_hash(params)[1] == before


@pytest.mark.slow
def test_a_hidden_layer_is_explained_by_the_gradient(trained):
    facts, _ = run_and_hash(trained(**{"head.hidden_units": 5, "warmup.solver": "sgd"}))
    assert facts["maps"] == "gradient"


@pytest.mark.slow
def test_without_a_map_of_more_than_one_place_the_rest_is_explained(trained, capsys):
    facts, written = run_and_hash(trained(**{"features.sizes": [4], "features.stages": "top"}))
    assert facts["maps"] == "none"
    assert "no heat maps: the features are of no map with more than one place" in capsys.readouterr().out
    assert "plots/explain/faithfulness.png" not in written
    assert {"plots/explain/examples/red.png", "plots/explain/slices.csv"} <= set(written)
    content = read_json(Path("metrics/explain.json"))
    assert content["maps"] == "none"
    assert all("faithfulness" not in target for target in content["targets"].values())


@pytest.mark.slow
@pytest.mark.parametrize("case", ["binary only", "many classes", "nothing known", "few images"])
def test_any_targets_fit_the_pictures(trained, case):
    two = ("absent", "present")
    targets = {
        "binary only": [Target("red", "binary", two)],
        "many classes": [
            Target("a rather long name of a target", "categorical", tuple(f"quite a long class {i}" for i in range(60)))
        ],
        "nothing known": TARGETS.items,
        "few images": TARGETS.items,
    }[case]
    params = trained(Targets(tuple(targets)), n_val=4 if case == "few images" else N_VAL)
    if case == "nothing known":
        manifest = Manifest.load(Path("data/prepared/manifest.csv"), TARGETS)
        manifest.labels[:] = -1
        manifest.save(Path("data/prepared/manifest.csv"), TARGETS)
        whole = Predictions.load(Path("data/predictions/val.npz"))
        Predictions(whole.logits, np.full_like(whole.labels, -1), whole.image, whole.group).save(
            Path("data/predictions/val.npz")
        )
    run_and_hash(params)
    for picture in Path("plots/explain").rglob("*.png"):
        with Image.open(picture) as image:
            assert image.width < 1800
            assert image.height < 1800


def test_predictions_of_other_images_end_in_one_line_and_leave_no_outs(trained):
    from stages.explain import explain

    params = trained()
    whole = Predictions.load(Path("data/predictions/val.npz"))
    whole.take(np.arange(10)).save(Path("data/predictions/val.npz"))
    with pytest.raises(LacunaError, match="they are of other targets or images"):
        explain(params)
    assert not Path("plots").exists()
    assert not Path("metrics").exists()


def test_files_without_their_origin_name_the_stage_to_run(trained):
    from stages.explain import explain

    params = trained()
    lines = [(row["image"], row["row"], row["group"]) for row in read_csv(Path("data/images/files.csv"))]
    write_csv(Path("data/images/files.csv"), ("image", "row", "group"), lines)
    with pytest.raises(LacunaError, match=r"no column format, .*width.*; run dvc repro ingest"):
        explain(params)
