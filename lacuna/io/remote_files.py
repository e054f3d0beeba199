"""Files by their place: a local path, or a URL of fsspec such as s3://bucket/key. Nothing else imports fsspec.

Who may read and where the service is comes from the environment, as each library documents it: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, ... Timeouts and retries are the library's, too. Of a URL, FileNotFoundError
says that nothing is there, and LacunaError anything else: no library, no credentials, no answer.
"""

import contextlib
import io
import os
import platform
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from lacuna.errors import LacunaError

URL = re.compile(r"([a-z][a-z0-9+.-]*)://[^/]*")
WEB = ("http", "https")
BUFFER_BYTES = 1 << 20


def is_url(place: str) -> bool:
    """Whether a place is a URL, and not a local path."""
    return URL.match(place) is not None


def place_in(folder: str, name: str) -> str:
    """Where a name is that is told as seen from a folder. Absolute paths and URLs are where they say."""
    if is_url(folder) and not is_url(name) and not name.startswith("/"):
        return f"{folder.rstrip('/')}/{name.removeprefix('./')}"  # a bucket knows no folder of that name
    return name if is_url(name) else os.path.join(folder, name)  # noqa: PTH118, keeps ./


def absolute(place: str) -> str:
    """The place by a name that holds in every working folder."""
    return place if is_url(place) else os.path.abspath(place)  # noqa: PTH100, keeps links


def folder_of(place: str) -> str:
    """The folder that a file lies in."""
    return place.rpartition("/")[0] if is_url(place) else str(Path(place).parent)


@contextlib.contextmanager
def open_place(place: str) -> Iterator[BinaryIO]:
    """Yield a file to read, at any position. Raises OSError for a local one, and see above."""
    if not is_url(place):
        with open(place, "rb") as file:
            yield file
        return
    with _told(place):
        system, path = _locate(place)
        with system.open(path, "rb") as remote, io.BufferedReader(remote, BUFFER_BYTES) as file:
            yield file


def read_beginning(url: str, most: int) -> bytes:
    """At most so many bytes of what a URL names, in one request."""
    with _told(url):
        system, path = _locate(url)
        content: bytes = b""
        try:
            content = system.cat_file(path, start=0, end=most)
        except FileNotFoundError:
            raise
        except OSError:  # S3 knows no range of an empty object
            if system.size(path):
                raise
        return content


def write_whole(place: str, content: bytes) -> None:
    """Put a file there that nobody sees in part: renamed when it is whole, or in one upload.

    Until then a local one has a name of this machine and process that begins with `_`: readers of tables in folders
    pass over what a killed run leaves.
    """
    if not is_url(place):
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"_{path.name}.{platform.node()}.{os.getpid()}.partial")
        try:
            partial.write_bytes(content)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return
    try:
        with _told(place):
            system, key = _locate(place)
            system.pipe_file(key, content)
    except FileNotFoundError as error:
        raise LacunaError(f"{place}: cannot be written: {_reason(error)}") from None


def names_in(folder: str) -> list[str]:
    """The names of what lies in a folder; none where there is no folder. Raises OSError for a local file."""
    try:
        if not is_url(folder):
            return os.listdir(folder)  # noqa: PTH208, names are wanted
        with _told(folder):
            system, path = _locate(folder)
            system.invalidate_cache(path)
            found = system.ls(path, detail=False)
            system.invalidate_cache(path)  # other machines write there too
    except FileNotFoundError:
        return []
    return [name.rstrip("/").rpartition("/")[2] for name in found]


def files_below(folder: str) -> list[str]:
    """The names of all files below a URL, as seen from there, in order. Raises FileNotFoundError where there is none,
    and see above.
    """
    with _told(folder):
        system, path = _locate(folder)
        system.invalidate_cache()
        found = system.find(path)  # and `state_of` them need not be asked for one by one
    if not found:
        raise FileNotFoundError(folder)
    above = path.rstrip("/") + "/"
    return sorted(name.removeprefix(above) for name in found if not name.endswith("/"))


def state_of(url: str) -> tuple[str, int]:
    """What tells the state of a file from any other without reading it (ETag, size and time of change, hashed), and
    its size in bytes. Raises as `read_beginning` does.
    """
    with _told(url):
        system, path = _locate(url)
        return f"{url} {system.ukey(path)}", system.size(path)


def _locate(url: str) -> tuple[Any, str]:
    system = _file_system(URL.match(url)[0])  # type: ignore[index]  # only URLs come here
    return system, system._strip_protocol(url)


@lru_cache
def _file_system(root: str) -> Any:
    """One for all threads: fsspec would make one for each, with connections of its own."""
    protocol = root.partition("://")[0]
    if protocol in WEB:
        raise LacunaError(f"{root}: images on the web are got by `python -m lacuna fetch urls`")
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        library = "s3fs" if protocol == "s3" else "fsspec"
        raise LacunaError(f"{protocol}:// needs {library}: pip install {library}") from None
    return url_to_fs(root)[0]


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Make one line of what goes wrong with a URL: the libraries have no common exception."""
    try:
        yield
    except (LacunaError, FileNotFoundError):
        raise
    except PermissionError as error:
        raise LacunaError(
            f"{url}: {_reason(error)} with the credentials in the environment, if there are any"
        ) from None
    except Exception as error:
        raise LacunaError(f"{url}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return " ".join(text.split())[:300]
