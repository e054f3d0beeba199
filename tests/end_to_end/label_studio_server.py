"""A real Label Studio, on this machine alone: its own process, its own folder, a token for its API."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

PROGRAM = "LACUNA_LABEL_STUDIO"
"""The environment variable that names the installed `label-studio`."""

PATIENCE_S = 900  # its first start makes a hundred tables, one after another

TOKEN = "0123456789abcdef0123456789abcdef01234567"

SILENT = {
    "COLLECT_ANALYTICS": "0",
    "LATEST_VERSION_CHECK": "0",
    "FEATURE_FLAGS_OFFLINE": "true",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}
"""It asks and tells nobody anything."""


class LabelStudioClient:
    """Its API. A call that fails fails the test."""

    def __init__(self, address: str) -> None:
        headers = {"Authorization": f"Token {TOKEN}"}
        self.http = httpx.Client(base_url=address, headers=headers, timeout=120, trust_env=False)

    def get(self, path: str, **query: Any) -> Any:
        return self._content(self.http.get(path, params=query))

    def post(self, path: str, content: Any) -> Any:
        return self._content(self.http.post(path, json=content))

    def delete(self, path: str) -> None:
        assert self.http.delete(path).is_success

    def _content(self, answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.request.url}: {answer.status_code}: {answer.text[:500]}"
        return answer.json()


@contextmanager
def label_studio(folder: Path, document_root: Path) -> Iterator[LabelStudioClient]:
    """Run the server with an empty data base in `folder`; it serves the files below `document_root`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LABEL_STUDIO", "DJANGO"))},
        **SILENT,
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(document_root),
        "LABEL_STUDIO_USERNAME": "ann@example.org",
        "LABEL_STUDIO_PASSWORD": "only-on-this-machine",
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "USE_DEFAULT_BANNED_SUBNETS": "false",  # the service under test is on this machine
    }
    command = [os.environ[PROGRAM], "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    client = LabelStudioClient(f"http://127.0.0.1:{port}")
    try:
        _wait(server, client, folder / "server.log")
        yield client
    finally:
        client.http.close()
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], client: LabelStudioClient, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            if client.http.get("/api/version").is_success:
                return
        except (httpx.TransportError, json.JSONDecodeError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"no answer after {PATIENCE_S} s: {log.read_text()[-2000:]}")
