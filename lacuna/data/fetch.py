"""Public data sets onto this machine: Fashion-MNIST, and whatever lies on Kaggle.

python -m lacuna fetch fashion_mnist
python -m lacuna fetch kaggle OWNER/DATASET
"""

import contextlib
import gzip
import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from lacuna.data.images.idx import CLASSES_FILE
from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_file, atomic_folder

FASHION_MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
FASHION_MNIST_PACKAGE = Path("/usr/share/datasets/fashion-mnist")
FASHION_MNIST = {
    "train-images-idx3-ubyte.gz": (47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    "train-labels-idx1-ubyte.gz": (60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "t10k-images-idx3-ubyte.gz": (7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    "t10k-labels-idx1-ubyte.gz": (10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}
"""Bytes and SHA-256 of what is inside: Debian packs the same content anew, so the packed files differ."""

FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

BLOCK = 1 << 16
TIMEOUT = 60
"""Seconds without an answer until a download gives up."""


def fetch_fashion_mnist(to: Path, url: str | None = None, local: tuple[Path, ...] | None = None) -> list[str]:
    """Put the four idx files and `classes.txt` into the folder `to`; return for each file where it came from.

    A file that is there already stays. Otherwise it is taken from the first folder of `local` that has it (Debian's
    package dataset-fashion-mnist and Keras' cache), or downloaded from below `url`. Each is checked by the SHA-256 of
    its content, so that a file in `to` is whole and the right one. Raises LacunaError when a download fails or differs.
    """
    url = url or FASHION_MNIST_URL
    folders = local if local is not None else (FASHION_MNIST_PACKAGE, _keras_cache())
    origins = []
    for name in FASHION_MNIST:
        if _is_right(to / name, name):
            origins.append(f"{to / name}: there already")
            continue
        source = next((folder / name for folder in folders if _is_right(folder / name, name)), None)
        with atomic_file(to / name) as partial:
            if source is not None:
                shutil.copyfile(source, partial)
            else:
                address = f"{url.rstrip('/')}/{name}"
                _download(address, partial)
                if not _is_right(partial, name):
                    raise LacunaError(
                        f"{address}: not the file that was expected (SHA-256 {FASHION_MNIST[name][1]} of its unpacked "
                        f"content); {_other_ways(to)}"
                    )
        origins.append(f"{to / name}: from {source or url}")
    with atomic_file(to / CLASSES_FILE) as partial:
        partial.write_text("".join(f"{name}\n" for name in FASHION_MNIST_CLASSES), encoding="utf-8")
    return origins


def fetch_kaggle(handle: str, to: Path) -> None:
    """Download the Kaggle data set `handle` (OWNER/DATASET) into the new folder `to`.

    Raises LacunaError when `to` holds something, the handle is none, the data set does not exist or needs credentials,
    and when Kaggle cannot be reached.
    """
    import kagglehub
    import requests

    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise LacunaError(f"{to}: holds something already, expected a new folder; name another one by --to")
    try:
        with atomic_folder(to) as partial:
            found = Path(kagglehub.dataset_download(handle, output_dir=str(partial)))
            if found != partial:  # Kaggle's own notebooks mount it
                shutil.copytree(found, partial, dirs_exist_ok=True)
            shutil.rmtree(partial / ".complete", ignore_errors=True)  # kagglehub's notes of what is whole
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else None
        reason = {
            401: "Kaggle does not know these credentials",
            403: "Kaggle denies access: it needs credentials, or your consent to the terms on the data set's page",
            404: "Kaggle has no data set of this name, or it is private",
        }.get(status or 0, f"Kaggle answered {status}")
        raise LacunaError(f"{handle}: {reason}; {_KAGGLE_CREDENTIALS}") from None
    except requests.RequestException as error:
        raise LacunaError(f"{handle}: Kaggle cannot be reached ({type(error).__name__}); is there a network?") from None
    except ValueError as error:
        raise LacunaError(f"{handle!r}: {error}; expected OWNER/DATASET") from None
    except OSError:
        raise
    except Exception as error:  # kagglehub has its own for credentials, damaged archives and refusals
        raise LacunaError(f"{handle}: {' '.join(str(error).split())}; {_KAGGLE_CREDENTIALS}") from None


_KAGGLE_CREDENTIALS = "credentials are a token from kaggle.com/settings in KAGGLE_API_TOKEN or ~/.kaggle/access_token"


def _keras_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets" / "fashion-mnist"


def _is_right(path: Path, name: str) -> bool:
    """Whether the content of the gzip file is that of `name`; no more than that is unpacked."""
    n_bytes, expected = FASHION_MNIST[name]
    digest, n_read = hashlib.sha256(), 0
    try:
        with gzip.open(path, "rb") as file:
            while n_read <= n_bytes and (block := file.read(BLOCK)):
                digest.update(block)
                n_read += len(block)
    except (OSError, EOFError, zlib.error):
        return False
    return digest.hexdigest() == expected


def _download(address: str, target: Path) -> None:
    n_read = 0
    largest = sum(n_bytes for n_bytes, _ in FASHION_MNIST.values())
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "lacuna"})
        # Not urlopen: it keeps the proxies of the process's first download, whatever the environment says by now.
        opener = urllib.request.build_opener()
        with contextlib.closing(opener.open(request, timeout=TIMEOUT)) as answer, open(target, "wb") as file:
            promised = int(answer.headers.get("Content-Length") or 0)
            while n_read <= largest and (block := answer.read(BLOCK)):
                file.write(block)
                n_read += len(block)
    except urllib.error.HTTPError as error:
        error.close()
        raise LacunaError(f"{address}: {error.code} {error.reason}; {_other_ways(target.parent)}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        raise LacunaError(f"{address}: cannot be downloaded ({reason}); {_other_ways(target.parent)}") from None
    if n_read < promised:
        raise LacunaError(
            f"{address}: cut short after {n_read} of {promised} bytes; try again, or {_other_ways(target.parent)}"
        )


def _other_ways(to: Path) -> str:
    return (
        f"put the four files of Fashion-MNIST into {to} yourself, install Debian's package dataset-fashion-mnist, "
        "or name another place by --url"
    )
