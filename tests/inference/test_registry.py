"""Bundles by their address in a registry: an SQLite file as MLflow's, and servers that are wrong in every way.

A whole one, with a real MLflow server, is in tests/end_to_end/test_champion.py.
"""

import contextlib
import json
import shutil
import socket
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lacuna.errors import LacunaError
from lacuna.inference import registry
from lacuna.inference.registry import BUNDLE_FOLDER, BUNDLE_TAG, kept_bundles, local_bundle
from lacuna.io.atomic import sha256
from tests.tiny_bundle import write_tiny_bundle

ADDRESS = Path("models:/lacuna@champion")
ROOT = "/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts/data/bundle/"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("registry") / "bundle")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return kept_bundles()


class Server:
    """What it answers, by path; what it was asked for, with the headers."""

    def __init__(self, bundle):
        self.asked = []
        version = {"version": "3", "tags": [{"key": BUNDLE_TAG, "value": sha256(bundle / "bundle.json")}]}
        self.answers = {
            "/api/2.0/mlflow/registered-models/alias": self.as_json({"model_version": version}),
            "/api/2.0/mlflow/model-versions/get-download-uri": self.as_json(
                {"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"}
            ),
            **{ROOT + path.name: (200, {}, path.read_bytes()) for path in bundle.iterdir()},
        }

    @staticmethod
    def as_json(content):
        return 200, {}, json.dumps(content).encode()

    @property
    def fetched(self):
        return [Path(path).name for path, _ in self.asked if path.startswith(ROOT)]

    @contextmanager
    def running(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = urlsplit(self.path).path
                server.asked.append((path, dict(self.headers)))
                status, headers, body = server.answers.get(path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items() if headers else [("Content-Length", len(body))]:
                    self.send_header(name, str(value))
                self.end_headers()
                with contextlib.suppress(OSError):  # nobody reads on
                    for piece in [body] if isinstance(body, bytes) else body:
                        self.wfile.write(piece)
                        time.sleep(0 if piece is body else 0.02)

            def log_message(self, *_):
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()
            http.server_close()


@pytest.fixture
def server(bundle, monkeypatch):
    serving = Server(bundle)
    with serving.running() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield serving


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refusal():
    with pytest.raises(LacunaError) as caught:
        local_bundle(ADDRESS)
    assert str(caught.value).startswith("models:/lacuna@champion in ")
    return str(caught.value)


def test_a_folder_is_a_folder(tmp_path):
    assert local_bundle(tmp_path) == tmp_path


@pytest.mark.parametrize("address", ["models:/lacuna", "models:/lacuna/3", "models:/@champion", "models:/lacuna@"])
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(LacunaError, match=rf"^{address}: expected models:/NAME@ALIAS"):
        local_bundle(Path(address))


def test_a_bundle_is_fetched_whole_once_and_again_when_what_is_kept_is_damaged(bundle, server, cache):
    folder = local_bundle(ADDRESS)
    assert folder == cache / sha256(bundle / "bundle.json")
    assert contents(folder) == contents(bundle)
    assert sorted(server.fetched) == sorted(path.name for path in bundle.iterdir())
    server.asked.clear()
    assert local_bundle(ADDRESS) == folder
    assert server.fetched == []
    (folder / "model.bin").write_bytes(b"")
    assert contents(local_bundle(ADDRESS)) == contents(bundle)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"}, "Basic bWU6c2VjcmV0"),
        ({"MLFLOW_TRACKING_TOKEN": "t0ken"}, "Bearer t0ken"),
    ],
)
def test_credentials_are_sent_as_mlflow_sends_them(server, monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    local_bundle(ADDRESS)
    assert {headers["Authorization"] for _, headers in server.asked} == {expected}


def test_credentials_are_not_taken_elsewhere(bundle, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    thief = Server(bundle)
    with thief.running() as address:
        server.answers[ROOT + "model.bin"] = (302, {"Location": address + ROOT + "model.bin"}, b"")
        assert "answered 302" in refusal()
    assert thief.asked == []


def test_damaged_files_and_those_that_were_not_registered_are_refused_and_nothing_is_kept(server, cache):
    whole = dict(server.answers)
    server.answers[ROOT + "model.bin"] = (200, {}, b"something else")
    assert "model.bin" in (said := refusal())
    assert "SHA-256 differs" in said
    status, headers, body = whole[ROOT + "bundle.json"]
    server.answers = whole | {ROOT + "bundle.json": (status, headers, body + b" ")}
    assert "not the file that was registered" in refusal()
    server.answers = whole | {ROOT + "model.bin": (200, {"Content-Length": 10**6}, b"cut off")}
    assert ": model.bin: not the file that bundle.json was written for" in refusal()
    server.answers = {path: answer for path, answer in whole.items() if path != ROOT + "test.npz"}
    assert "answered 404" in refusal()
    assert list(cache.iterdir()) == []


def test_more_than_a_bundle_may_have_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(registry, "MAX_MODEL_BYTES", 1000)
    assert "received more" in refusal()
    monkeypatch.setattr(registry, "MAX_ANSWER_BYTES", 10)
    assert "expected at most 10 bytes of api/2.0/mlflow/registered-models/alias" in refusal()


def test_a_server_that_answers_byte_by_byte_is_given_up_at_the_deadline(server, monkeypatch):
    alias = next(iter(server.answers))
    sent = []
    server.answers[alias] = (200, {"Content-Length": 10**6}, (sent.append(1) or b"x" for _ in range(300)))
    monkeypatch.setattr(registry, "SILENCE_S", 0.2)
    assert "too slow, gave up after 0.2 seconds" in refusal()
    assert len(sent) < 200


def test_a_server_that_sends_its_headers_byte_by_byte_is_given_up_at_the_deadline(monkeypatch):
    monkeypatch.setattr(registry, "SILENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):  # nobody reads on
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Header: ")
                for _ in range(100):
                    connection.sendall(b"x")
                    time.sleep(0.02)

        dripping = threading.Thread(target=drip)
        dripping.start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert "too slow, gave up after 0.3 seconds" in refusal()
        assert dripping.is_alive()
        dripping.join()


def test_no_name_in_a_bundle_leads_out_of_its_folder(bundle, tmp_path, monkeypatch):
    evil = shutil.copytree(bundle, tmp_path / "evil")
    content = json.loads((evil / "bundle.json").read_text())
    content["card"] = {"../../../outside": "0" * 64}
    (evil / "bundle.json").write_text(json.dumps(content))
    serving = Server(evil)
    with serving.running() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert "names a file '../../../outside'" in refusal()
    assert serving.fetched == ["bundle.json"]


def test_what_no_registry_of_bundles_answers_is_one_line(server, monkeypatch):
    alias, location = list(server.answers)[:2]
    server.answers[location] = Server.as_json({"artifact_uri": "s3://bucket/1"})
    assert "are at s3://bucket/1, which the server does not hand out; start the server with" in refusal()
    server.answers[location] = Server.as_json({"artifact_uri": "mlflow-artifacts://[1"})
    assert "are at 'mlflow-artifacts://[1', which is no address" in refusal()
    server.answers[alias] = Server.as_json({"model_version": {"version": "3"}})
    assert f"has no tag {BUNDLE_TAG}; register it again by `dvc repro track`" in refusal()
    server.answers[alias] = (404, {}, b'{"message": "Registered Model with name=lacuna\\n not found"}')
    assert refusal().endswith("answered 404: Registered Model with name=lacuna not found")
    server.answers[alias] = (200, {}, b"<html>")
    assert "not an answer of MLflow; is MLFLOW_TRACKING_URI right?" in refusal()
    for nonsense in (None, [], {"tags": None}, {"tags": [3]}, {"tags": [{"key": BUNDLE_TAG}]}):
        server.answers[alias] = Server.as_json({"model_version": nonsense})
        assert "not an answer of MLflow; is MLFLOW_TRACKING_URI right?" in refusal()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:1")
    assert "secret" not in (said := refusal())
    assert "does not answer" in said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://host/db")
    assert "in postgresql://host/db: expected the address of a server or sqlite:///FILE" in refusal()


def test_without_a_server_mlflow_s_own_database_tells_where_the_bundle_is(bundle, migrated, tmp_path):
    assert "expected the address of a server or sqlite:///FILE of an existing database" in refusal()
    shutil.copy(migrated, tmp_path / "mlflow.db")
    assert "no model of this name has this alias; set it by `python -m lacuna promote`" in refusal()
    source = tmp_path / "mlruns/with blank"
    shutil.copytree(bundle, source / BUNDLE_FOLDER)
    with closing(sqlite3.connect("mlflow.db")) as database, database:
        database.execute("INSERT INTO registered_models (name) VALUES ('lacuna')")
        database.execute(
            "INSERT INTO model_versions (name, version, source) VALUES ('lacuna', 3, ?)", (source.as_uri(),)
        )
        tag = (BUNDLE_TAG, sha256(bundle / "bundle.json"))
        database.execute("INSERT INTO model_version_tags (name, version, key, value) VALUES ('lacuna', 3, ?, ?)", tag)
        database.execute("INSERT INTO registered_model_aliases (name, alias, version) VALUES ('lacuna', 'champion', 3)")
    assert local_bundle(ADDRESS) == source / BUNDLE_FOLDER
    (source / BUNDLE_FOLDER / "bundle.json").write_text("{}")
    assert "not the file that was registered" in refusal()
