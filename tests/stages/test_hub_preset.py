"""A preset of KerasHub through the stages, from features to an exported network, and from a hub on this machine."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import keras_hub
import numpy as np
import pytest

from lacuna.core.predictions import Predictions
from lacuna.inference.runtimes import EXACT_RUNTIMES, load_network
from lacuna.io.atomic import sha256
from lacuna.io.sharded_array import checksum
from stages.export import export
from stages.featurize import featurize
from tests import hub_presets
from tests.shards import load_rows
from tests.training_project import (
    CLOSE,
    N_TRAIN,
    ONE_SHAPE,
    STAGES,
    TEST,
    WEAK,
    assert_network_predicts,
    run_in,
    write_data,
)  # fmt: skip

HUB = WEAK | ONE_SHAPE | {"backbone.name": "keras_hub", "features.stages": "all", "finetune.epochs": 1}
LAYERS = keras_hub.layers


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "converter", "size", "unfreeze", "boundary"),
    [
        (hub_presets.efficientnet, LAYERS.EfficientNetImageConverter, 48, "p2", "p1_"),
        (hub_presets.vit, LAYERS.ViTImageConverter, 0, "top", "rescale"),
        (hub_presets.vit, LAYERS.ViTImageConverter, 0, 2, "top_vitpatchingandembedding_"),
    ],
    ids=["layers inside of layers, resized", "a whole transformer", "above its embedding"],
)
def test_it_goes_through_both_phases_and_is_exported_as_it_was_trained(
    project, network, converter, size, unfreeze, boundary
):
    hub_presets.save(project / "own", network(), converter)
    changes = HUB | {"backbone.weights": "./own", "features.sizes": [size], "finetune.unfreeze": unfreeze}
    changes["finetune.layer_decay"] = 0.7
    features, warmup, finetune, exported = run_in(project, changes, (*STAGES, export))
    assert features["boundary"].startswith(boundary)
    assert warmup["parameters_trained"] > 0
    assert finetune["parameters_trained"] > 100
    assert finetune["epochs"] == 1
    assert_network_predicts(project, changes)
    assert max(exported["export_difference"].values()) < 1e-4
    val = Predictions.load(project / "data/predictions/val.npz")
    images = load_rows(project / "data/images/pixels")[N_TRAIN : TEST.start]
    assert not list((project / "models/export").glob("keras.*"))
    for runtime in EXACT_RUNTIMES:
        found = load_network(project / "models/export", runtime)(images)
        np.testing.assert_allclose(found.logits, val.logits, rtol=1e-3, atol=CLOSE)


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(project, run_stage):
    def digests():
        folders = ("data/features", "models/trained", "models/export")
        files = [path for folder in folders for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        return {path: sha256(path) for path in files}

    hub_presets.save_resnet(project / "own")
    changes = HUB | {"backbone.weights": "./own", "finetune.unfreeze": "p3"}
    for stage in (*STAGES, export):
        run_in(project, changes, (stage,))
    before = digests()
    for stage in ("featurize", "train_warmup", "train_finetune", "export"):
        done = run_stage(stage)
        assert done.returncode == 0, done.stderr
    assert digests() == before


class Hub(BaseHTTPRequestHandler):
    """A hub of models as `huggingface_hub` asks it: /org/name/resolve/main/FILE of the folder `preset`."""

    preset: Path
    asked: list[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        file = self.preset / name
        there = self.path == f"/org/name/resolve/main/{name}" and file.is_file()
        content = file.read_bytes() if there else b""
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(content)))
        if there:
            self.send_header("ETag", f'"{sha256(file)}"')
            self.send_header("X-Repo-Commit", "0" * 40)
        else:
            known = self.path.startswith("/org/name/")
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
            self.asked.append(name)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    Hub.preset, Hub.asked = tmp_path / "served", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def asking(server: ThreadingHTTPServer, home: Path) -> dict[str, str]:
    """The environment in which a stage asks that hub and keeps nothing elsewhere than in `home`."""
    address = f"http://127.0.0.1:{server.server_port}"
    return {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "no_proxy": "127.0.0.1"}


def test_a_preset_from_a_hub_gives_the_features_of_its_folder_and_is_kept(project, run_stage, hub):
    hub_presets.save_resnet(Hub.preset)
    frozen = HUB | {"finetune.epochs": 0, "features.stages": "top", "warmup.solver": "exact"}
    run_in(project, frozen | {"backbone.weights": str(Hub.preset)}, (featurize,))
    expected = checksum(Path("data/features/features"))
    run_in(project, frozen | {"backbone.weights": "hf://org/name"}, ())
    for attempt in ("asked", "not there any more"):
        shutil.rmtree("data/features")
        shutil.rmtree("runs/cache")
        done = run_stage("featurize", **asking(hub, project / "home"))
        assert done.returncode == 0, (attempt, done.stderr)
        assert checksum(Path("data/features/features")) == expected
        hub.shutdown()
        hub.server_close()
    assert sorted(Hub.asked) == ["config.json", "image_converter.json", "model.weights.h5"]


@pytest.mark.parametrize(
    ("preset", "runs", "reason"),
    [("hf://org/other", True, "404"), ("hf://org/name", False, "Connection refused")],
    ids=["no such preset", "no hub"],
)
def test_a_hub_without_the_preset_is_one_line(project, run_stage, one_line, hub, preset, runs, reason):
    if not runs:
        hub.shutdown()
        hub.server_close()
    run_in(project, HUB | {"backbone.weights": preset}, ())
    said = one_line(run_stage("featurize", **asking(hub, project / "home")))
    assert f"backbone.weights: {preset} cannot be loaded as a preset of KerasHub (" in said
    assert reason in said
