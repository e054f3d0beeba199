"""The images that the page offers to try: read once, and never through a link."""

import os

import pytest

from lacuna.errors import LacunaError
from lacuna.serving.examples import MOST_EXAMPLES, find_examples


def test_an_example_stays_what_it_was_at_the_start(app_client, picture, tmp_path):
    (tmp_path / "a & b.png").write_bytes(picture())
    client = app_client(examples=tmp_path)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "a & b.png").unlink()
    (tmp_path / "a & b.png").symlink_to(tmp_path / "secret")

    (listed,) = client.get("/examples").json()
    answer = client.get(listed["url"])
    assert (answer.content, answer.headers["content-type"]) == (picture(), "image/png")


def test_links_and_what_is_no_file_are_no_examples(picture, tmp_path):
    (tmp_path / "inside.png").write_bytes(picture())
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "one.png").write_bytes(picture())
    (folder / "away.png").symlink_to(tmp_path / "inside.png")
    (folder / "beside.png").symlink_to("one.png")
    (folder / "nowhere.png").symlink_to("none.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")

    assert find_examples(folder, 10_000) == {"one.png": picture()}
    (folder / "one.png").unlink()
    with pytest.raises(LacunaError, match="expected a folder of images to offer as examples, found none"):
        find_examples(folder, 10_000)


def test_there_are_at_most_a_dozen_and_none_that_the_service_would_not_take(tmp_path):
    for number in range(20):
        (tmp_path / f"{number:02d}.png").write_bytes(b"x" * 10)
    assert list(find_examples(tmp_path, 10)) == [f"{number:02d}.png" for number in range(MOST_EXAMPLES)]
    with pytest.raises(LacunaError, match=r"00\.png: expected an example of at most 9 bytes"):
        find_examples(tmp_path, 9)
