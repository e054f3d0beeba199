"""The ways an image gets onto the page."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.serving_page.conftest import Open, Visit

pytestmark = pytest.mark.slow

# A yellow image of 40 x 40 pixels as a File in the browser.
YELLOW = """async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [40, 40];
    const drawing = canvas.getContext("2d");
    drawing.fillStyle = "#ff0";
    drawing.fillRect(0, 0, 40, 40);
    const content = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    return new File([content], "drawn.png", { type: "image/png" });
}"""


def test_an_image_on_the_clipboard_is_pasted(open_page: Open, service: str) -> None:
    visit = open_page(service, permissions=["clipboard-read", "clipboard-write"])
    visit.page.evaluate(
        f"async () => navigator.clipboard.write([new ClipboardItem({{'image/png': await ({YELLOW})()}})])"
    )
    visit.page.keyboard.press("Control+v")
    expect(visit.page.locator("#cards > li[data-state=answered]")).to_have_count(1)
    expect(visit.page.locator(".binary .decision")).to_have_text("present")


def test_files_and_folders_are_dropped_anywhere_and_the_page_shows_that_it_takes_them(
    visit: Visit, images: Path, tmp_path: Path
) -> None:
    inner = tmp_path / "folder" / "inner"
    inner.mkdir(parents=True)
    shutil.copy(images / "yellow.png", inner)
    shutil.copy(images / "green.png", tmp_path / "folder")
    dropped = [str(images / "blue.png"), str(tmp_path / "folder")]
    drag = {"x": 20, "y": 20, "data": {"items": [], "files": dropped, "dragOperationsMask": 1}}
    browser = visit.page.context.new_cdp_session(visit.page)
    for step in ("dragEnter", "dragOver"):
        browser.send("Input.dispatchDragEvent", {"type": step, **drag})
    expect(visit.page.get_by_text("Let go to analyse")).to_be_visible()
    browser.send("Input.dispatchDragEvent", {"type": "drop", **drag})
    expect(visit.page.get_by_text("Let go to analyse")).to_be_hidden()
    expect(visit.page.locator("#cards > li[data-state=answered]")).to_have_count(3)
    assert sorted(visit.page.locator(".file-name").all_inner_texts()) == ["blue.png", "green.png", "yellow.png"]


def test_dragged_text_is_not_taken(visit: Visit) -> None:
    transfer = visit.page.evaluate_handle(
        "() => { const all = new DataTransfer(); all.setData('text/plain', 'x'); return all; }"
    )
    visit.page.dispatch_event("footer", "dragenter", {"dataTransfer": transfer})
    expect(visit.page.get_by_text("Let go to analyse")).to_be_hidden()


def test_an_example_is_analysed_with_a_click(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Analyse the example sun & sand.png").click()
    expect(visit.card("sun & sand.png").locator(".binary .decision")).to_have_text("present")


def test_a_phone_can_take_a_photo(open_page: Open, service: str, images: Path) -> None:
    visit = open_page(service, has_touch=True, is_mobile=True)
    camera = visit.page.get_by_role("button", name="Take a photo")
    with visit.page.expect_file_chooser() as chooser:
        camera.click()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files(images / "yellow.png")
    expect(visit.card("yellow.png").locator(".binary .decision")).to_have_text("present")


def test_without_examples_there_is_no_strip(open_page: Open, narrow_service: str) -> None:
    visit = open_page(narrow_service)
    visit.page.wait_for_load_state("networkidle")
    assert f"{narrow_service}examples" in visit.requests
    expect(visit.page.locator("#examples")).to_be_hidden()
