"""A new model beside the champion in a real MLflow server, and a service that follows the alias."""

import shutil
import signal
import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.hostile_images import encoded
from benchmarks.service_process import running_service
from lacuna.cli import main
from lacuna.inference.bundle import DESCRIPTION_FILE
from lacuna.inference.registry import local_bundle
from lacuna.io.atomic import sha256
from tests.mlflow_server import mlflow_server, register, write_candidate
from tests.tiny_project import write_params

pytestmark = pytest.mark.slow

ADDRESS = "models:/lacuna@champion"
GREEN = encoded(Image.new("RGB", (1, 1), (0, 255, 0)), "PNG")


@pytest.fixture(scope="module")
def place(tmp_path_factory, migrated):
    folder = tmp_path_factory.mktemp("champion")
    shutil.copy(migrated, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def bundles(place):
    noises = {"rough": 3.0, "fine": 0.5, "close": 0.6}
    return {name: write_candidate(place / name, noise) for name, noise in noises.items()}


@pytest.fixture
def environment(place, monkeypatch):
    """A project as the working folder, a server, and a cache of its own."""
    project = place / "project"
    project.mkdir(exist_ok=True)
    monkeypatch.chdir(project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    write_params(project, {"evaluate.bootstrap": 50})
    return monkeypatch


def promote(bundle, *options):
    return main(["promote", "--bundle", str(bundle), *options])


def tags(store, version):
    with sqlite3.connect(store) as database:
        found = database.execute("SELECT key, value FROM model_version_tags WHERE version = ?", (version,))
        return dict(found.fetchall())


def answer(service):
    with service.client() as client:
        said = client.post("/predict", files={"file": GREEN}).json()
    return said["models"], said["targets"]["colour"]["decision"]


def follow(service, bundle):
    service.signal(signal.SIGHUP)
    service.wait_for(f"now serving lacuna@champion {sha256(bundle / DESCRIPTION_FILE)[:12]}")


def test_the_alias_moves_to_a_better_model_alone_and_the_service_follows_it(place, bundles, environment, capsys):
    """Of a green image the network of the rough model says blue, that of the fine one green."""
    with ExitStack() as running, ExitStack() as server:
        environment.setenv("MLFLOW_TRACKING_URI", server.enter_context(mlflow_server(place)))
        assert promote(bundles["rough"]) == 1
        assert "no version of the model lacuna in MLflow's registry has this bundle" in capsys.readouterr().err
        for bundle in bundles.values():
            register(bundle, Path.cwd())
        assert main(["serve", "--bundle", ADDRESS, "--port", "0"]) == 1
        assert f"error: {ADDRESS} in http://127.0.0.1" in (said := capsys.readouterr().err)
        assert "Registered model alias champion not found" in said

        assert promote(bundles["rough"]) == 0
        assert "version 1 of lacuna is champion now (first)" in capsys.readouterr().out
        service = running.enter_context(running_service(place, "--bundle", ADDRESS))
        assert answer(service) == (["lacuna@champion"], "blue")

        assert promote(bundles["fine"]) == 0
        said = capsys.readouterr().out
        assert "120 test images in common" in said
        assert "worse: nothing; better: colour (f1), colour (average precision), colour (log loss)" in said
        assert "version 2 of lacuna is champion now (better)" in said
        assert tags(place / "mlflow.db", 2)["lacuna.promotion"] == "better"
        assert answer(service) == (["lacuna@champion"], "blue")
        follow(service, bundles["fine"])
        assert answer(service) == (["lacuna@champion"], "green")

        assert promote(bundles["fine"]) == 0
        assert "is the champion already" in capsys.readouterr().out
        assert promote(bundles["close"]) == 3
        assert "better: nothing\nversion 3 does not take its place; --force" in capsys.readouterr().out
        assert promote(bundles["rough"], "--force") == 0
        assert "version 1 of lacuna is champion now (forced)" in capsys.readouterr().out
        forced = tags(place / "mlflow.db", 1)
        assert forced["lacuna.promotion"] == "forced"
        assert "worse: colour (f1)" in forced["lacuna.promotion.reason"]
        follow(service, bundles["rough"])
        kept = {path.name for path in (place / "cache/lacuna/bundles").iterdir()}
        assert kept == {sha256(bundles[name] / DESCRIPTION_FILE) for name in ("rough", "fine")}

        server.close()
        service.signal(signal.SIGHUP)
        service.wait_for(rf"error: {ADDRESS} in http\S+ does not answer .*; still serving lacuna@champion")
        assert answer(service) == (["lacuna@champion"], "blue")
        with service.client() as client:
            assert 'lacuna_reloads_total{result="refused"} 1.0' in client.get("/metrics").text


def test_the_project_s_own_store_needs_no_server(bundles, migrated, tmp_path, environment, capsys):
    root = tmp_path / "own store"
    root.mkdir()
    environment.chdir(root)
    environment.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_params(root, {"evaluate.bootstrap": 50})
    assert promote(bundles["rough"]) == 1
    assert not Path("mlflow.db").exists()
    shutil.copy(migrated, "mlflow.db")
    for name in ("rough", "fine"):
        register(bundles[name], root)
        assert promote(bundles[name]) == 0
        folder = local_bundle(Path(ADDRESS))
        assert sha256(folder / DESCRIPTION_FILE) == sha256(bundles[name] / DESCRIPTION_FILE)
        assert folder.is_relative_to(root)
    assert "is champion now (better)" in capsys.readouterr().out
