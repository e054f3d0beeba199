"""Each image gets a name by which the label file's URL finds it, and it alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.data.downloads.file_names import Destination, plan_destinations
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.match_images import ImageFinder


def planned(*urls: str) -> list[str]:
    return [destination.with_suffix(".png") for destination in plan_destinations(urls, [], {})]


def found_by(urls: list[str], names: list[str]) -> list[list[str]]:
    places = ImageFinder(names).find(WordColumn(np.arange(len(urls), dtype=np.int32), tuple(urls)))
    return [[names[place] for place in found] for found in places]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.org/x/1.jpg", "1.jpg"),
        ("https://a.org/x/1.JPG?width=200#top", "1.JPG"),
        ("https://a.org/x/my%20cat.jpeg", "my cat.jpeg"),
        ("https://a.org/photo/123", "123.png"),
        ("https://a.org/show.php?id=7", "show.php.png"),
        ("https://a.org/raw/1.dng", "1.png"),
        ("https://a.org/a%2Fb.jpg", "b.jpg"),
    ],
)
def test_a_name_that_is_free_is_the_last_part(url: str, name: str) -> None:
    assert planned(url) == [name]


def test_names_that_collide_get_host_and_path() -> None:
    urls = ["https://a.org/x/1.jpg", "https://b.org/1.png", "https://c.org/x/1.jpg", "https://[2001:DB8::1]:80/x/1"]
    names = ["a.org/x/1.jpg", "b.org/1.png", "c.org/x/1.jpg", "2001_db8_1/x/1.png"]
    assert planned(*urls, "https://c.org/2.jpg") == [*names, "2.jpg"]
    assert found_by(urls, names) == [[name] for name in names]


@pytest.mark.parametrize(
    "url",
    [
        "https://a.org/",
        "https://a.org",
        "https://a.org/..%2f..%2fetc/%2e%2e",
        "https://a.org/.hidden.jpg",
        "https://a.org/con.jpg",
        "https://a.org/what%3F.jpg",
        "https://a.org/two%0Alines.jpg",
        "https://a.org/" + "long" * 60 + ".jpg",
        "https://a.org/%00",
    ],
)
def test_a_name_that_no_file_can_have_is_made_safe(url: str) -> None:
    (name,) = planned(url)
    host, _, last = name.partition("/")
    assert host == "a.org"
    assert last.isascii()
    assert last.replace("~", "").replace("_", "").replace("-", "").replace(".", "").isalnum()
    assert len(last) < 100
    assert found_by([url], [name]) == [[name]]


def test_what_came_from_another_url_keeps_its_name() -> None:
    urls, names = ["https://a.org/x/1.jpg"], ["1.jpg", "b.org/1.jpg"]
    assert plan_destinations(urls, names, {"1.jpg": "https://c.org/1.jpg"}) == [
        Destination(urls[0], "a.org/x/1.jpg", False)
    ]
    assert plan_destinations(urls, names, {}) == [Destination(urls[0], "1.jpg", False, "1.jpg")]
    assert plan_destinations(urls, names, {"1.jpg": urls[0]}) == [Destination(urls[0], "1.jpg", False, "1.jpg")]


def test_an_image_is_there_by_any_suffix() -> None:
    (destination,) = plan_destinations(["https://a.org/photo/123"], ["123.webp"], {})
    assert destination.there == "123.webp"


PARTS = st.sampled_from(
    ["a", "A", "b", "1.jpg", "1.png", "1.JPG", "1", "a.jpg", "ä", "..", "a%2Fb", "x~1", "é", "e\u0301"]
)
URLS = st.builds(
    lambda host, parts, query: f"http://{host}/{'/'.join(parts)}{query}",
    st.sampled_from(["a.org", "b.org", "a.org:81", "1.jpg"]),
    st.lists(PARTS, max_size=3),
    st.sampled_from(["", "", "?id=1", "?id=2"]),
)


@given(st.lists(URLS, min_size=1, max_size=8, unique=True), st.lists(URLS, max_size=4, unique=True))
def test_each_url_finds_its_own_image_and_no_other(urls: list[str], before: list[str]) -> None:
    first = {plan.with_suffix(".png"): plan.url for plan in plan_destinations(before, [], {})}
    plans = plan_destinations(urls, list(first), first)
    names = [plan.there or plan.with_suffix(".png") for plan in plans]
    assert [plan.url for plan in plans] == urls
    assert [first.get(plan.there, plan.url) for plan in plans] == urls
    everything = sorted({*names, *first})
    assert len({name.casefold() for name in everything}) == len(everything)
    assert found_by(urls, everything) == [[name] for name in names]
