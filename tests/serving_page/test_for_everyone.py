"""The page on a phone, in the dark, by keyboard alone, and under the strictest rules for content."""

import re
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.serving_page.conftest import Open, Visit, lines

pytestmark = pytest.mark.slow


def test_the_page_is_served_under_rules_that_allow_no_inline_code_and_no_other_host(service: str) -> None:
    with urllib.request.urlopen(service) as answer:
        rules = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in rules
    assert "http" not in rules
    assert "script-src 'self'" in rules
    assert "style-src 'self'" in rules


def test_a_phone_needs_no_sideways_scrolling(open_page: Open, service: str, images: Path, tmp_path: Path) -> None:
    long = tmp_path / f"{'unbroken' * 20}.png"
    long.write_bytes((images / "yellow.png").read_bytes())
    visit = open_page(service, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert _overflow(visit.page) <= 0
    visit.choose(long, images / "notes.txt")
    visit.page.get_by_role("button", name="Heat map").click()
    for summary in visit.page.locator("summary").all():
        summary.click()
    assert _overflow(visit.page) <= 0


def _overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page_in_both_colour_schemes(open_page: Open, service: str, scheme: str) -> None:
    visit = open_page(service, color_scheme=scheme)
    page, text, quiet, warning = (
        _luminance(visit.page.locator(where).first.evaluate(f"found => getComputedStyle(found).{what}"))
        for where, what in (
            ("body", "backgroundColor"),
            ("h1", "color"),
            (".small", "color"),
            ("#about .warning", "color"),
        )
    )
    assert (page < 0.1) == (scheme == "dark")
    assert all(_contrast(page, colour) >= 4.5 for colour in (text, quiet, warning))  # WCAG 2.2, level AA


def _luminance(colour: str) -> float:
    """Relative luminance of a CSS colour `rgb(r, g, b)`, as WCAG defines it."""
    levels = [int(level) / 255 for level in re.findall(r"\d+", colour)[:3]]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(first: float, second: float) -> float:
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def test_everything_can_be_done_by_keyboard(visit: Visit, images: Path) -> None:
    page = visit.page
    _tab_to(page, "Choose images")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"  # the focus is seen
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(images / "yellow.png")
    expect(visit.card("yellow.png").locator(".binary .decision")).to_have_text("present")
    _tab_to(page, "Download CSV")
    with page.expect_download():
        page.keyboard.press("Enter")
    _tab_to(page, "Heat map")
    page.keyboard.press("Space")
    _tab_to(page, "Target of the heat map")
    page.keyboard.press("ArrowDown")
    expect(visit.card("yellow.png").get_by_role("status")).to_contain_text("“present” of red")
    _tab_to(page, "one of 2 classes")
    page.keyboard.press("Enter")
    expect(page.get_by_text("green and blue")).to_be_visible()


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus is called `name`."""
    for _ in range(30):
        page.keyboard.press("Tab")
        called = page.evaluate("(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()")
        if called.startswith(name):
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


def test_the_model_is_described_in_plain_words_beside_the_trivial_answer(visit: Visit) -> None:
    about = visit.page.locator("#about")
    colour, red = (lines(item) for item in about.locator(".target-facts > li").all())
    assert colour == [
        "colour",
        "one of 2 classes · 40 test images",
        "Right in 80 % of images, between 65 and 90 %.",
        "Always naming the most common class: 55 %.",
    ]
    assert red == [
        "red",
        "present from 60 % on · 41 test images",
        "F1 67 %, between 40 and 85 %.",
        "Without looking at the image: 50 %.",
        "It finds 60 % of what is there.",
        "Of what it reports, 75 % is right.",
        "On test images no better than chance: do not rely on it.",
    ]
    expect(about.locator("h3")).to_have_text(re.compile(r"^tiny\s*version [0-9a-f]{12}$"))
    about.get_by_text("Where it comes from").click()
    expect(about.locator("dl")).to_contain_text("0a" * 32)
