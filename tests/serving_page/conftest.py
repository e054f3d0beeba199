"""A real Chromium on the page of a real service."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from tests.serving_page.running_service import running_service, write_described_bundle

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

COLOURS = {"yellow": (255, 255, 0), "blue": (0, 0, 255), "green": (0, 255, 0)}

expect.set_options(timeout=15_000)  # a busy machine


@dataclass
class Visit:
    """A page that was opened, every address it asked for, and what it complained of on the console."""

    page: Page
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def choose(self, *files: Path) -> None:
        """Choose files, and wait until all images are answered or refused."""
        before = self.page.locator("#cards > li").count()
        self.page.set_input_files("#choose-input", files)
        expect(self.page.locator("#cards > li")).to_have_count(before + len(files))
        self.wait()

    def wait(self) -> None:
        expect(self.page.locator("#cards > li[data-state=waiting]")).to_have_count(0)

    def card(self, name: str) -> Locator:
        """The card of the image of this name."""
        return self.page.locator("#cards > li", has=self.page.get_by_role("heading", name=name, exact=True))


Open = Callable[..., Visit]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images of one colour each: yellow.png, blue.png, green.png, and notes.txt, which is none."""
    folder = tmp_path_factory.mktemp("images")
    for name, colour in COLOURS.items():
        Image.new("RGB", (40, 40), colour).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_described_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def service(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service of the tiny bundle, with one example image, yellow."""
    examples = tmp_path_factory.mktemp("examples")
    Image.new("RGB", (40, 40), COLOURS["yellow"]).save(examples / "sun & sand.png")
    with running_service("--bundle", bundle, "--examples", examples) as address:
        yield address


@pytest.fixture(scope="session")
def narrow_service(bundle: Path) -> Iterator[str]:
    """A service of the same model without examples, which takes 20 kB at most and promises a precision of 0.99."""
    with running_service("--bundle", bundle, "--min-precision", "0.99", "--max-upload-mb", "0.02") as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Closed with each file's last test: while it is open no other test of the process can run an event loop.
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_address(chromium: Browser) -> Iterator[Open]:
    """Open an address of a service: `open_address(service, path, **settings of the context)`.

    In the end no page may have asked another host for anything, nor have complained.
    """
    visits: list[Visit] = []

    def open_at(address: str, path: str = "", **settings: Any) -> Visit:
        page = chromium.new_context(**settings).new_page()
        visit = Visit(page, address)
        visits.append(visit)
        page.on("request", lambda request: visit.requests.append(request.url))
        page.on("console", lambda message: visit.complaints.extend(_complaints(message)))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("filechooser", lambda chooser: None)  # from now on: `expect_file_chooser` alone begins too late
        page.goto(address + path)
        return visit

    yield open_at
    for visit in visits:
        visit.page.context.close()
        foreign = [url for url in visit.requests if not url.startswith((visit.address, "blob:", "data:"))]
        assert (foreign, visit.complaints) == ([], [])


@pytest.fixture
def open_page(open_address: Open) -> Open:
    """Open the page of a service and wait until it takes images. With `locked` it has to be given a key before."""

    def open_at(address: str, path: str = "", *, locked: bool = False, **settings: Any) -> Visit:
        visit = open_address(address, path, **settings)
        expect(visit.page.locator("#choose-button")).to_be_enabled(enabled=not locked)
        return visit

    return open_at


@pytest.fixture
def visit(open_page: Open, service: str) -> Visit:
    return open_page(service)


def lines(part: Locator) -> list[str]:
    """The lines of text that are seen there, with plain spaces."""
    return [line for line in part.inner_text().replace("\u202f", " ").splitlines() if line]


def _complaints(message: ConsoleMessage) -> list[str]:
    """What the page is to blame for. That a request was refused the browser reports by itself, and tests ask for it."""
    if message.type not in ("error", "warning") or message.text.startswith("Failed to load resource"):
        return []
    return [message.text]
