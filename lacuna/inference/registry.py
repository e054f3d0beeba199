"""A bundle by its address in MLflow's registry, `models:/NAME@ALIAS`, without MLflow: its REST API, or its database.

The registry is MLFLOW_TRACKING_URI, as MLflow itself takes it: the address of a server, or `sqlite:///FILE`; without
it mlflow.db in the working folder, where `track` writes. From a server the files are fetched once and kept under the
SHA-256 of bundle.json, which the registry states, and whose own hashes find every damaged file when it is loaded.
"""

import base64
import contextlib
import http.client
import json
import os
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from lacuna.errors import LacunaError
from lacuna.inference.bundle import (
    DESCRIPTION_FILE,
    MAX_DESCRIPTION_BYTES,
    MAX_MODEL_BYTES,
    bundle_files,
    check_files,
)
from lacuna.io.atomic import atomic_folder, sha256

SCHEME = "models:/"
BUNDLE_TAG = "lacuna.bundle"
"""The tag of a registered version that states the SHA-256 of its bundle.json."""

BUNDLE_FOLDER = "data/bundle"
"""Where the bundle lies in a registered version's files."""

MAX_ANSWER_BYTES = 1_000_000
SILENCE_S = 30.0
FETCH_DEADLINE_S = 600.0
CHUNK_BYTES = 2**20

NO_ANSWER = "not an answer of MLflow; is MLFLOW_TRACKING_URI right?"

ALIAS_IN_DATABASE = """
SELECT versions.source, tags.value FROM registered_model_aliases AS aliases
JOIN model_versions AS versions ON versions.name = aliases.name AND versions.version = aliases.version
LEFT JOIN model_version_tags AS tags
    ON tags.name = aliases.name AND tags.version = aliases.version AND tags.key = ?
WHERE aliases.name = ? AND aliases.alias = ?
"""


@dataclass(frozen=True)
class Registered:
    """A version in the registry: where its files are, and the SHA-256 of its bundle.json."""

    source: str
    sha256: str


def local_bundle(bundle: Path) -> Path:
    """The folder of a bundle; one in the registry is looked up anew each time, and fetched if it is not here.

    Raises LacunaError for an address of another form, when there is no such model or alias, and when the registry does
    not answer or gives other files than it states.
    """
    address = str(bundle)
    if not address.startswith(SCHEME):
        return bundle
    name, at, alias = address.removeprefix(SCHEME).partition("@")
    if not (name and at and alias) or "/" in name:
        raise LacunaError(f"{address}: expected {SCHEME}NAME@ALIAS, such as {SCHEME}lacuna@champion")
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    try:
        if uri.startswith(("http://", "https://")):
            return _from_server(uri.rstrip("/"), name, alias)
        return _from_database(uri, name, alias)
    except LacunaError as error:
        raise LacunaError(f"{address} in {uri.rpartition('@')[2]}: {error}") from None  # without what may be a password


def _from_database(uri: str, name: str, alias: str) -> Path:
    """The folder in which MLflow keeps the bundle on this machine."""
    path = Path(unquote(uri.partition(":///")[2]))
    if not uri.startswith("sqlite") or not path.is_file():
        raise LacunaError("expected the address of a server or sqlite:///FILE of an existing database")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as database:
            found = database.execute(ALIAS_IN_DATABASE, (BUNDLE_TAG, name, alias)).fetchone()
    except sqlite3.Error as error:
        raise LacunaError(f"{path}: no registry of MLflow ({error})") from None
    if found is None:
        raise LacunaError(f"{path}: no model of this name has this alias; set it by `python -m lacuna promote`")
    registered = _stated(*found)
    folder = Path(unquote(urlsplit(registered.source).path), BUNDLE_FOLDER)
    _check_description(folder, registered)
    return folder


def _from_server(server: str, name: str, alias: str) -> Path:
    """The folder of kept bundles that holds this one."""
    asked = urlencode({"name": name, "alias": alias})
    version = _ask(server, f"api/2.0/mlflow/registered-models/alias?{asked}").get("model_version", {})
    try:
        number = urlencode({"name": name, "version": version.get("version", "")})
        tags = {tag["key"]: tag["value"] for tag in version.get("tags", [])}
    except (AttributeError, KeyError, TypeError):
        raise LacunaError(NO_ANSWER) from None
    stored = _ask(server, f"api/2.0/mlflow/model-versions/get-download-uri?{number}").get("artifact_uri")
    registered = _stated(stored, tags.get(BUNDLE_TAG))
    folder = kept_bundles() / registered.sha256
    if not _is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_folder(folder) as partial:
            try:
                _fetch(server, registered, partial)
            except LacunaError as error:
                raise LacunaError(str(error).replace(f"{partial}/", "")) from None
    return folder


def kept_bundles() -> Path:
    """Where fetched bundles are kept, each under the SHA-256 of its bundle.json: below XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lacuna" / "bundles"


def _stated(source: object, digest: object) -> Registered:
    if not isinstance(source, str) or not isinstance(digest, str) or len(digest) != 64 or not digest.isalnum():
        raise LacunaError(f"its version has no tag {BUNDLE_TAG}; register it again by `dvc repro track` and promote it")
    try:
        urlsplit(source)
    except ValueError:
        raise LacunaError(f"its files are at {source[:200]!r}, which is no address") from None
    return Registered(source, digest)


def _fetch(server: str, registered: Registered, folder: Path) -> None:
    """Write the bundle into an empty folder: bundle.json, then the files that it names, and those alone."""
    place = urlsplit(registered.source)
    if place.scheme != "mlflow-artifacts":
        raise LacunaError(
            f"its files are at {registered.source[:200]}, which the server does not hand out; start the server with "
            "--artifacts-destination instead of --default-artifact-root"
        )
    root = f"api/2.0/mlflow-artifacts/artifacts/{quote(unquote(place.path).strip('/'))}/{BUNDLE_FOLDER}"
    deadline = _Deadline(FETCH_DEADLINE_S)

    def download(path: str, most: int) -> int:
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        with target.open("wb") as file:
            for piece in _pieces(server, f"{root}/{quote(path)}", most, deadline):
                file.write(piece)
            return file.tell()

    download(DESCRIPTION_FILE, MAX_DESCRIPTION_BYTES)
    _check_description(folder, registered)
    left = MAX_MODEL_BYTES
    for path in bundle_files(folder):
        left -= download(path, left)
    check_files(folder)


def _is_whole(folder: Path) -> bool:
    try:
        check_files(folder)
    except LacunaError:
        return False
    return True


def _check_description(folder: Path, registered: Registered) -> None:
    path = folder / DESCRIPTION_FILE
    if not path.is_file() or sha256(path) != registered.sha256:
        raise LacunaError(f"{path}: missing, or not the file that was registered (SHA-256 differs)")


def _ask(server: str, path: str) -> Mapping[str, Any]:
    content = b"".join(_pieces(server, path, MAX_ANSWER_BYTES, _Deadline(SILENCE_S)))
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise LacunaError(NO_ANSWER)
    return answer


class _Deadline:
    """So many seconds from now on."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, time.monotonic() + seconds

    def left(self) -> float:
        """The seconds that are left. Raises LacunaError when none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise LacunaError(f"too slow, gave up after {self._seconds:g} seconds")
        return left


def _pieces(server: str, path: str, most: int, deadline: _Deadline) -> Iterator[bytes]:
    """What a GET answers, at most so many bytes, until the deadline. Nothing is fetched from anywhere else."""
    request = urllib.request.Request(f"{server}/{path}", headers=_authorization())
    try:
        with _open(request, deadline) as answer:
            n_bytes = 0
            while piece := answer.read1(CHUNK_BYTES):  # what is there: a whole one may come byte by byte
                n_bytes += len(piece)
                if n_bytes > most:
                    raise LacunaError(f"expected at most {most} bytes of {path[:200]}, received more")
                deadline.left()
                yield piece
    except urllib.error.HTTPError as error:
        raise LacunaError(f"answered {error.code}{_reason(error)}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise LacunaError(f"does not answer ({getattr(error, 'reason', error)})") from None


def _open(request: urllib.request.Request, deadline: _Deadline) -> http.client.HTTPResponse:
    """The answer, as soon as its headers are there. They may come byte by byte, each of which is in time by itself: so
    they are waited for in another thread, which keeps nobody waiting and no process from ending."""
    answer: Future[http.client.HTTPResponse] = Future()

    def ask() -> None:
        try:
            answer.set_result(urllib.request.build_opener(_NoRedirect).open(request, timeout=SILENCE_S))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True, name="registry").start()
    while not answer.done():
        wait([answer], deadline.left())
    return answer.result()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A registry that sends elsewhere is refused: credentials would go there too."""

    def redirect_request(self, *_: object) -> None:
        return None


def _authorization() -> dict[str, str]:
    """By the variables that MLflow itself reads."""
    user, token = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user:
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _reason(error: urllib.error.HTTPError) -> str:
    """What MLflow says of an error, on one line."""
    try:
        said = str(json.loads(error.read(MAX_ANSWER_BYTES))["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f": {' '.join(said.split())[:200]}"
