"""What goes wrong between page and service, and how the page gets over it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from tests.serving_page.conftest import Open, Visit, lines
from tests.serving_page.running_service import running_service

pytestmark = pytest.mark.slow

KEY = "a-key-of-the-tests"


@pytest.fixture(scope="module")
def locked(bundle: Path) -> Iterator[str]:
    """A service that wants KEY."""
    with running_service("--bundle", bundle, LACUNA_API_KEY=KEY) as address:
        yield address


def test_a_busy_service_is_asked_again_after_the_pause_it_names(visit: Visit, images: Path) -> None:
    refused = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "3"}, json={"error": {"code": "busy", "message": "full"}})

    visit.page.route("**/predict", refuse_once)
    visit.page.set_input_files("#choose-input", images / "yellow.png")
    expect(visit.card("yellow.png").get_by_text("Trying again in 3 seconds.")).to_be_visible()
    expect(visit.card("yellow.png").locator(".binary .decision")).to_have_text("present")
    assert len([url for url in visit.requests if url.endswith("/predict")]) == 2


def test_without_a_connection_an_image_can_be_tried_again(visit: Visit, images: Path) -> None:
    visit.page.context.set_offline(True)
    visit.choose(images / "yellow.png")
    card = visit.card("yellow.png")
    expect(card.locator(".failure")).to_contain_text("cannot be reached")
    visit.page.context.set_offline(False)
    card.get_by_role("button", name="Try again").click()
    expect(card.locator(".binary .decision")).to_have_text("present")
    expect(visit.page.locator("#state")).to_have_text("1 image analysed")


def test_at_most_four_images_are_on_their_way_at_once(visit: Visit, images: Path) -> None:
    held: list[Route] = []
    released = False
    visit.page.route("**/predict", lambda route: route.continue_() if released else held.append(route))
    visit.page.set_input_files("#choose-input", [images / "yellow.png"] * 6)
    expect(visit.page.get_by_text("Analysing…")).to_have_count(4)
    visit.page.wait_for_timeout(200)
    assert len(held) == 4
    expect(visit.page.locator("#state")).to_have_text("0 of 6 images analysed")
    released = True
    for route in held:
        route.continue_()
    visit.wait()
    expect(visit.page.locator("#state")).to_have_text("6 images analysed")


def test_a_file_beyond_the_limit_is_not_even_sent(open_page: Open, narrow_service: str, tmp_path: Path) -> None:
    Image.effect_noise((200, 200), 100).save(tmp_path / "noise.bmp")
    visit = open_page(narrow_service)
    visit.choose(tmp_path / "noise.bmp")
    assert "the service takes at most 0.02 MB" in " ".join(lines(visit.card("noise.bmp")))
    assert not any(url.endswith("/predict") for url in visit.requests)


def test_the_api_key_is_asked_for_once_and_kept_for_the_tab(open_page: Open, locked: str, images: Path) -> None:
    visit = open_page(locked, locked=True)
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("Key").fill("not-the-right-key")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("did not accept this key")
    dialog.get_by_label("Key").fill(KEY)
    dialog.get_by_role("button", name="Continue").click()
    expect(visit.page.locator("#about")).to_be_visible()
    visit.page.reload()
    expect(visit.page.locator("#choose-button")).to_be_enabled()
    expect(dialog).to_be_hidden()
    visit.page.evaluate("sessionStorage.clear()")  # now several uploads are refused at once: one question for all
    visit.page.set_input_files("#choose-input", [images / "yellow.png"] * 5)
    dialog.get_by_label("Key").fill(KEY)
    dialog.get_by_role("button", name="Continue").click()
    expect(visit.page.locator(".binary .decision")).to_have_text(["present"] * 5)


def test_who_has_no_key_is_told_so_and_may_try_again(open_page: Open, locked: str) -> None:
    visit = open_page(locked, locked=True)
    visit.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(visit.page.locator("#lead")).to_contain_text("needs an API key")
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.page.get_by_role("dialog")).to_be_visible()


def test_after_too_many_wrong_keys_the_right_one_is_asked_for_and_taken(open_page: Open, locked: str) -> None:
    answers = [httpx.get(f"{locked}metadata", headers={"X-API-Key": "wrong"}, verify=False) for _ in range(11)]
    assert answers[-1].status_code == 429
    visit = open_page(locked, locked=True)
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("Key").fill("not-the-right-key")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("did not accept this key")
    dialog.get_by_label("Key").fill(KEY)
    dialog.get_by_role("button", name="Continue").click()
    expect(visit.page.locator("#about")).to_be_visible()
