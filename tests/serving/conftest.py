"""One service for most tests: over the tiny bundle, whose predictions can be worked out by hand."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from benchmarks.service_process import Service, running_service
from tests.tiny_bundle import write_tiny_bundle

Picture = Callable[..., bytes]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("serving") / "tiny")


@pytest.fixture(scope="session")
def service(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), "--bundle", bundle, "--max-upload-mb", 2) as running:
        yield running


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture(scope="session")
def picture() -> Picture:
    """A file of one colour."""

    def make(colour: tuple[int, int, int] = (255, 0, 51), size: tuple[int, int] = (40, 40), kind: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.new("RGB", size, colour).save(file, kind)
        return file.getvalue()

    return make
