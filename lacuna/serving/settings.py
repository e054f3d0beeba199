"""The settings of a service: models, limits and API key, from the options of `python -m lacuna serve`."""

import argparse
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from lacuna.data.images.formats import UPLOAD_FORMATS
from lacuna.errors import LacunaError
from lacuna.serving.addresses import LOOPBACK, read_allowed_hosts, read_root_path

MEGABYTE = 1_000_000

KEY_VARIABLE = "LACUNA_API_KEY"
MIN_KEY_LENGTH = 16


@dataclass(frozen=True)
class Limits:
    """How much one request, and all requests together, may ask for.

    max_upload_bytes: the length of a request's body. max_batch_images: files in one request. timeout_s: seconds for the
    upload, and again for the answer. max_queue: images of all requests together that are being decoded or wait for the
    network. max_connections: connections that are open at a time.
    decode_s: seconds for decoding an image.
    max_decoding_bytes: memory of all images that are decoded at the same time. formats: of images, by Pillow's names.
    """

    max_upload_bytes: int = 20 * MEGABYTE
    max_batch_images: int = 64
    timeout_s: float = 30.0
    max_queue: int = 256
    max_connections: int = 1000
    decode_s: float = 10.0
    max_decoding_bytes: int = 1100 * MEGABYTE
    formats: tuple[str, ...] = UPLOAD_FORMATS

    @property
    def max_held_bytes(self) -> int:
        """The bytes of all uploads that may be in memory at the same time."""
        return 16 * self.max_upload_bytes

    @property
    def images_per_request(self) -> int:
        """How many images one request may hold: no more than fit into the queue."""
        return min(self.max_batch_images, self.max_queue)


@dataclass(frozen=True)
class Settings:
    """Everything a service is started with but its address. `api_key_file` is where the key came from, to be read
    again. `examples` is a folder of images that the page offers to try, `label_studio_files` the document root of a
    Label Studio that asks for suggestions. `allowed_hosts` and `root_path` are as `addresses` reads them."""

    bundles: tuple[Path, ...]
    runtime: str = "openvino"
    min_precision: float | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_file: Path | None = None
    examples: Path | None = None
    label_studio_files: Path | None = None
    allowed_hosts: tuple[str, ...] = LOOPBACK
    root_path: str = ""
    limits: Limits = Limits()


def from_command_line(options: argparse.Namespace) -> Settings:
    """The options of `python -m lacuna serve`. Raises LacunaError for an impossible limit, API key, host or path."""
    for option in ("max_upload_mb", "timeout", "max_queue", "max_connections"):
        value = getattr(options, option)
        if not 0 < value < math.inf:
            raise LacunaError(f"--{option.replace('_', '-')}: expected a number above 0, received {value}")
    limits = Limits(
        max_upload_bytes=int(options.max_upload_mb * MEGABYTE),
        timeout_s=options.timeout,
        max_queue=options.max_queue,
        max_connections=options.max_connections,
        formats=(*UPLOAD_FORMATS, "TIFF") if options.tiff else UPLOAD_FORMATS,
    )
    return Settings(
        bundles=tuple(options.bundle or [Path("models/bundle")]),
        runtime=options.runtime,
        min_precision=options.min_precision,
        api_key=read_api_key(options.api_key_file),
        api_key_file=options.api_key_file,
        examples=options.examples,
        label_studio_files=options.label_studio_files,
        allowed_hosts=read_allowed_hosts(options.allowed_hosts or [], options.host),
        root_path=read_root_path(options.root_path),
        limits=limits,
    )


def read_api_key(file: Path | None) -> str | None:
    """The key in a file's first line, or in the environment variable; None when there is neither.

    Raises LacunaError when it is too short to be safe from guessing, or has other characters than a header may.
    """
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LacunaError(f"{file}: the API key cannot be read: {error}") from None
    elif KEY_VARIABLE in os.environ:
        key = os.environ[KEY_VARIABLE].strip()
    else:
        return None
    if len(key) < MIN_KEY_LENGTH or not all("!" <= character <= "~" for character in key):
        source = file or KEY_VARIABLE
        raise LacunaError(
            f"{source}: expected an API key of at least {MIN_KEY_LENGTH} printable ASCII characters without spaces; "
            "make one by `openssl rand -hex 32`"
        )
    return key
