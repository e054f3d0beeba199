"""One service for most tests: over the tiny bundle, whose predictions can be worked out by hand."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from benchmarks.service_process import Service, running_service
from lacuna.serving.app import create_app
from lacuna.serving.models import ServedModel, load_models
from lacuna.serving.settings import Settings
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
def models(bundle: Path) -> tuple[ServedModel, ...]:
    return load_models(Settings((bundle,)))


@pytest.fixture
def app_client(bundle: Path, models: tuple[ServedModel, ...]) -> Iterator[Callable[..., TestClient]]:
    """The application in this process, with these settings: `app_client(api_key=...)`."""
    with contextlib.ExitStack() as opened:

        def open_client(**settings: Any) -> TestClient:
            app = create_app(Settings((bundle,), **settings), models)
            return opened.enter_context(TestClient(app, base_url="http://localhost", raise_server_exceptions=False))

        yield open_client


@pytest.fixture(scope="session")
def picture() -> Picture:
    """A file of one colour."""

    def make(colour: tuple[int, int, int] = (255, 0, 51), size: tuple[int, int] = (40, 40), kind: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.new("RGB", size, colour).save(file, kind)
        return file.getvalue()

    return make
