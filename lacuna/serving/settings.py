"""What a service is started with."""

import argparse
import math
from dataclasses import dataclass, field
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.serving.security import read_api_key

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and all of them together.

    max_upload_bytes: of a request's body. max_batch_images: files in one request. timeout_s: from the first byte to the
    answer. max_queue: images of all requests that are being decoded or wait for the network. max_batch: images that go
    through the network at once.
    """

    max_upload_bytes: int = 20 * MEGABYTE
    max_batch_images: int = 64
    timeout_s: float = 30.0
    max_queue: int = 256
    max_batch: int = 4

    @property
    def max_held_bytes(self) -> int:
        """Of all uploads that are in memory at the same time."""
        return 16 * self.max_upload_bytes

    @property
    def images_per_request(self) -> int:
        return min(self.max_batch_images, self.max_queue)


@dataclass(frozen=True)
class Settings:
    """A service but for its address. `examples` is a folder of images that the page offers to try."""

    bundles: tuple[Path, ...]
    runtime: str = "openvino"
    min_precision: float | None = None
    api_key: str | None = field(default=None, repr=False)
    examples: Path | None = None
    limits: Limits = Limits()


def from_command_line(options: argparse.Namespace) -> Settings:
    """The options of `python -m lacuna serve`. Raises LacunaError for a limit or API key that won't do."""
    for option in ("max_upload_mb", "timeout", "max_queue", "max_batch"):
        value = getattr(options, option)
        if not 0 < value < math.inf:
            raise LacunaError(f"--{option.replace('_', '-')}: expected a number above 0, received {value}")
    limits = Limits(
        max_upload_bytes=int(options.max_upload_mb * MEGABYTE),
        timeout_s=options.timeout,
        max_queue=options.max_queue,
        max_batch=options.max_batch,
    )
    return Settings(
        bundles=tuple(options.bundle or [Path("models/bundle")]),
        runtime=options.runtime,
        min_precision=options.min_precision,
        api_key=read_api_key(options.api_key_file),
        examples=options.examples,
        limits=limits,
    )
