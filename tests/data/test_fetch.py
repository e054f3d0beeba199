"""Fetching from this machine and from a server that answers as bad servers do; nothing leaves this machine."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.data import fetch
from lacuna.data.fetch import FASHION_MNIST, FASHION_MNIST_CLASSES, fetch_fashion_mnist
from lacuna.data.images.idx import find_parts, read_classes
from lacuna.errors import LacunaError
from tests.idx_files import idx_bytes

NAMES = list(FASHION_MNIST)


class Server:
    """`answers`: path to status, body and promised length. `asked`: the paths that were asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, int]] = {}
        self.asked: list[str] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append(self.path)
                status, body, promised = served.answers.get(self.path, (404, b"", 0))
                self.send_response(status)
                self.send_header("Content-Length", str(promised))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def give(self, path: str, body: bytes, status: int = 200) -> None:
        self.answers[path] = (status, body, len(body))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small idx files that are taken for those of Fashion-MNIST."""
    contents = {
        name: idx_bytes(np.full((n, 28, 28) if "images" in name else (n,), n % 10, np.uint8))
        for name, n in zip(NAMES, (20, 20, 11, 11), strict=True)
    }
    known = {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()}
    monkeypatch.setattr(fetch, "FASHION_MNIST", known)
    return {name: gzip.compress(content) for name, content in contents.items()}


def test_downloads_what_is_not_there_and_writes_the_names_of_the_classes(
    files: dict[str, bytes], server: Server, tmp_path: Path
) -> None:
    for name, content in files.items():
        server.give(f"/sub/{name}", content)
    to, cache = tmp_path / "data" / "raw", tmp_path / "cache"
    to.mkdir(parents=True)
    cache.mkdir()
    (to / NAMES[0]).write_bytes(files[NAMES[0]])  # there already
    (to / NAMES[1]).write_bytes(files[NAMES[1]][:-9])  # there, but cut short
    (cache / NAMES[2]).write_bytes(gzip.compress(gzip.decompress(files[NAMES[2]]), 1))  # the same, packed differently
    (cache / NAMES[3]).write_bytes(files[NAMES[0]])  # another file under this name

    origins = fetch_fashion_mnist(to, f"{server.url}/sub", (cache, tmp_path / "nowhere"))
    assert [origin.partition(": ")[2] for origin in origins] == [
        "there already",
        f"from {server.url}/sub",
        f"from {cache / NAMES[2]}",
        f"from {server.url}/sub",
    ]
    assert server.asked == [f"/sub/{NAMES[1]}", f"/sub/{NAMES[3]}"]
    assert sorted(path.name for path in to.iterdir()) == sorted([*NAMES, "classes.txt"])
    assert [part.n for part in find_parts(to)] == [20, 11]
    assert read_classes(to) == list(FASHION_MNIST_CLASSES)
    assert len(FASHION_MNIST_CLASSES) == 10


def not_found(server: Server, content: bytes) -> None:
    pass


def server_error(server: Server, content: bytes) -> None:
    server.give(f"/{NAMES[0]}", b"", 503)


def truncated(server: Server, content: bytes) -> None:
    server.answers[f"/{NAMES[0]}"] = (200, content[:50], len(content))


def another_file(server: Server, content: bytes) -> None:
    server.give(f"/{NAMES[0]}", gzip.compress(b"other" * 100))


def a_page(server: Server, content: bytes) -> None:
    server.give(f"/{NAMES[0]}", b"<html>please log in</html>")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (not_found, "404 Not Found; put the four files of Fashion-MNIST into"),
        (server_error, "503 Service Unavailable"),
        (truncated, "cut short after 50 of [0-9]+ bytes; try again"),
        (another_file, r"not the file that was expected \(SHA-256 [0-9a-f]{64}"),
        (a_page, r"not the file that was expected"),
    ],
)
def test_a_download_that_fails_is_one_line_and_leaves_nothing(
    files: dict[str, bytes], server: Server, tmp_path: Path, spoil: Any, message: str
) -> None:
    spoil(server, files[NAMES[0]])
    with pytest.raises(LacunaError, match=message) as caught:
        fetch_fashion_mnist(tmp_path / "raw", server.url, ())
    assert str(caught.value).startswith(f"{server.url}/{NAMES[0]}: ")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense"])
def test_a_place_without_server_is_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(LacunaError, match=r"cannot be downloaded \(.+\); put the four files .* by --url"):
        fetch_fashion_mnist(tmp_path / "raw", url, ())


def kaggle(handle: str, to: Path, proxy: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with a server here in the place of Kaggle's, and without anybody's credentials."""
    root = Path(__file__).parents[2]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KAGGLE")}
    environment |= {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": proxy, "HOME": str(home), "no_proxy": ""}
    command = [sys.executable, "-m", "lacuna", "fetch", "kaggle", handle, "--to", str(to)]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


KAGGLE = "http://localhost/api/v1/datasets.DatasetApiService"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "error: me/photos: Kaggle has no data set of this name, or it is private; credentials are"),
        (403, "error: me/photos: Kaggle denies access: it needs credentials, or your consent"),
        (401, "error: me/photos: Kaggle does not know these credentials"),
        (500, "error: me/photos: Kaggle answered 500"),
    ],
)
def test_what_kaggle_refuses_is_one_line(server: Server, tmp_path: Path, status: int, message: str) -> None:
    server.give(f"{KAGGLE}/GetDataset", b"{}", status)
    done = kaggle("me/photos", tmp_path / "raw", server.url, tmp_path)
    assert server.asked
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "raw").exists()


def test_kaggle_that_cannot_be_reached_and_handles_that_are_none(tmp_path: Path) -> None:
    done = kaggle("me/photos", tmp_path / "raw", "http://127.0.0.1:9", tmp_path)
    assert "error: me/photos: Kaggle cannot be reached (ProxyError); is there a network?" in done.stderr
    done = kaggle("photos", tmp_path / "raw", "http://127.0.0.1:9", tmp_path)
    assert "error: 'photos': Invalid dataset handle: photos; expected OWNER/DATASET" in done.stderr
    assert not (tmp_path / "raw").exists()


def test_a_kaggle_data_set_is_unpacked_into_a_new_folder(server: Server, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("cat/1.png", b"meow")
        file.writestr("dog/1.png", b"woof")
    server.give(f"{KAGGLE}/GetDataset", b'{"currentVersionNumber": 3}')
    server.give(f"{KAGGLE}/DownloadDataset", archive.getvalue())
    done = kaggle("me/photos", tmp_path / "raw", server.url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{tmp_path / 'raw'}: me/photos"
    found = {path.relative_to(tmp_path / "raw").as_posix(): path for path in (tmp_path / "raw").rglob("*")}
    assert sorted(found) == ["cat", "cat/1.png", "dog", "dog/1.png"]
    assert found["cat/1.png"].read_bytes() == b"meow"

    again = kaggle("me/photos", tmp_path / "raw", server.url, tmp_path)
    assert "raw: holds something already, expected a new folder" in again.stderr
    assert found["cat/1.png"].read_bytes() == b"meow"
