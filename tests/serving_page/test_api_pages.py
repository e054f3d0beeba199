"""The API's description as people use it: Swagger UI and ReDoc in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.serving_page.conftest import Open
from tests.serving_page.running_service import running_service

pytestmark = pytest.mark.slow

SECRET = "0123456789abcdef-secret"

WIDE = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def guarded(bundle: Path) -> Iterator[str]:
    with running_service("--bundle", bundle, LACUNA_API_KEY=SECRET) as address:
        yield address


@pytest.fixture(scope="module")
def prefixed(bundle: Path) -> Iterator[str]:
    with running_service("--bundle", bundle, "--root-path", "lacuna/") as address:
        yield address


def predict_by_swagger_ui(page: Page, image: Path) -> Locator:
    """Upload an image through the form of POST /predict; the part of the page that shows the answer."""
    route = page.locator(".opblock", has=page.locator("[data-path='/predict']"))
    route.locator(".opblock-summary").click()
    route.get_by_role("button", name="Try it out").click()
    route.locator("input[type=file]").set_input_files(image)
    route.get_by_role("button", name="Execute").click()
    answer = route.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_be_visible()
    return answer


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_an_image_is_uploaded_through_swagger_ui_and_its_answer_read(
    open_address: Open, service: str, images: Path, screen: dict[str, object]
) -> None:
    page = open_address(service, "docs", **screen).page
    answer = predict_by_swagger_ui(page, images / "yellow.png")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text('"image": "yellow.png"')
    expect(answer).to_contain_text('"decision": "green"')
    assert fits(page)
    page.reload()  # the address names the route, which is open again
    expect(page.get_by_role("button", name="Try it out")).to_have_count(1)


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_key_given_to_authorize_is_sent_and_not_kept(
    open_address: Open, guarded: str, images: Path, screen: dict[str, object]
) -> None:
    page = open_address(guarded, "docs", **screen).page
    answer = predict_by_swagger_ui(page, images / "yellow.png")
    expect(answer.locator(".response-col_status")).to_contain_text("401")
    expect(answer).to_contain_text("expected the service's API key in the header X-API-Key")
    page.get_by_role("button", name="Authorize", exact=True).click()
    dialog = page.locator(".modal-ux")
    dialog.get_by_role("textbox").fill(SECRET)
    assert fits(page)
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Execute").click()
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text('"image": "yellow.png"')
    assert SECRET not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_redoc_shows_every_route_with_the_example_of_a_real_answer(
    open_address: Open, service: str, screen: dict[str, object]
) -> None:
    page = open_address(service, "redoc", **screen).page
    for summary in ("What the models say of one image", "Where in an image a class of a target is seen"):
        expect(page.get_by_role("heading", name=summary)).to_be_visible()
    expect(page.get_by_text('"1f436.png"').first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert fits(page)


def test_the_description_follows_the_readers_colours(open_address: Open, service: str) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page = open_address(service, "docs", color_scheme=scheme).page
        title = page.locator(".info .title")
        expect(title).to_be_visible()
        read = "(part, of) => getComputedStyle(part)[of]"
        background = page.locator("html").evaluate(read, "backgroundColor")
        colours.append((title.evaluate(read, "color"), background))
    (dark_text, _), (light_text, dark_page) = colours
    assert dark_page == "rgb(28, 32, 34)"
    assert dark_text != light_text


@pytest.mark.parametrize("stripped", [False, True], ids=["path left", "path stripped"])
def test_behind_a_path_of_a_proxy_everything_works(
    open_address: Open, prefixed: str, images: Path, stripped: bool
) -> None:
    """With the slash at the end and without it; a proxy may take the path off or not."""

    def passed_on(page: Page) -> None:
        if stripped:
            page.route(
                "**/lacuna**",
                lambda route: route.continue_(url=route.request.url.replace("/lacuna/", "/").removesuffix("/lacuna")),
            )

    for path in ("lacuna", "lacuna/"):
        visit = open_address(prefixed, "health")
        passed_on(visit.page)
        visit.page.goto(prefixed + path)
        expect(visit.page.locator("#choose-button")).to_be_enabled()
        visit.choose(images / "yellow.png")
        expect(visit.card("yellow.png").locator(".binary .decision")).to_have_text("present")
    visit.page.get_by_role("link", name="API").click()
    expect(visit.page).to_have_url(prefixed + "lacuna/docs")
    answer = predict_by_swagger_ui(visit.page, images / "yellow.png")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    outside = [url for url in visit.requests if not url.startswith((prefixed + "lacuna", "blob:", "data:"))]
    assert outside == [prefixed + "health"]
