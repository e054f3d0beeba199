"""Images from a server on this machine that answers as bad servers do; nothing leaves this machine."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lacuna.data.downloads.limits import DownloadLimits
from lacuna.data.fetch_urls import Fetched, fetch_images
from lacuna.errors import LacunaError
from tests.data.web_server import (
    WebServer,
    cut_off,
    in_ranges,
    png,
    status,
    web_server,
    whole,
    without_length,
)
from tests.tiny_project import REPOSITORY

HASTE = {"rate": 1000, "first_wait": 0.0, "timeout": 5.0, "allow_private": True}


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "images"


def fetch(server: WebServer, to: Path, *paths: str, **limits: float) -> Fetched:
    return fetch_images([f"{server.url}{path}" for path in paths], to, DownloadLimits(**{**HASTE, **limits}))  # type: ignore[arg-type]


def files(to: Path) -> dict[str, bytes]:
    """What is there to see, as the project sees it: without what is hidden."""
    found = (path for path in to.rglob("*") if path.is_file())
    names = {path.relative_to(to).as_posix(): path.read_bytes() for path in found}
    return {name: content for name, content in names.items() if not name.startswith(".") and name != "failed.csv"}


def reason(fetched: Fetched) -> str:
    (only,) = fetched.failed.values()
    return only


def test_images_come_and_are_not_asked_for_again(server: WebServer, to: Path) -> None:
    server.pages = {"/p/1.png": whole(png(1)), "/p/2": whole(png(2))}
    fetched = fetch(server, to, "/p/1.png", "/p/2")
    assert (fetched.n_came, fetched.n_there, fetched.failed) == (2, 0, {})
    assert files(to) == {"1.png": png(1), "2.png": png(2)}

    fetched = fetch(server, to, "/p/1.png", "/p/2")
    assert (fetched.n_came, fetched.n_there, fetched.unknown) == (0, 2, [])
    assert sorted(server.paths) == ["/p/1.png", "/p/2"]


def test_what_fails_is_listed_and_tried_again(server: WebServer, to: Path) -> None:
    server.pages = {"/1.png": whole(png(1)), "/page.png": whole(b"<html>no such image</html>" * 9, "text/html")}
    fetched = fetch(server, to, "/1.png", "/lost.png", "/page.png")
    with open(to / "failed.csv", newline="") as file:
        assert list(csv.reader(file)) == [
            ["url", "reason"],
            [f"{server.url}/lost.png", "404 Not Found"],
            [f"{server.url}/page.png", "no image, but text/html"],
        ]
    assert fetched.n_came == 1
    assert files(to) == {"1.png": png(1)}

    server.pages |= {"/lost.png": whole(png(2)), "/page.png": whole(png(3), "text/html")}
    assert fetch(server, to, "/1.png", "/lost.png", "/page.png").failed == {}
    assert files(to) == {"1.png": png(1), "lost.png": png(2), "page.png": png(3)}
    assert not (to / "failed.csv").exists()


def test_names_that_collide_become_folders_and_overwrite_nothing(server: WebServer, to: Path) -> None:
    server.pages = {path: whole(png(n)) for n, path in enumerate(("/a/1.png", "/b/1.png", "/c?id=1", "/c?id=2", "/d"))}
    assert fetch(server, to, "/a/1.png", "/b/1.png", "/c?id=1", "/c?id=2", "/d").n_came == 5
    found = files(to)
    assert found.pop("127.0.0.1/a/1.png") == png(0)
    assert found.pop("127.0.0.1/b/1.png") == png(1)
    assert found.pop("d.png") == png(4)
    assert sorted(found.values()) == sorted([png(2), png(3)])


def test_another_list_with_the_same_names_leaves_the_images_of_the_first(server: WebServer, to: Path) -> None:
    server.pages = {"/one/1.png": whole(png(1)), "/two/1.png": whole(png(2))}
    fetch(server, to, "/one/1.png")
    fetch(server, to, "/two/1.png")
    assert files(to) == {"1.png": png(1), "127.0.0.1/two/1.png": png(2)}
    assert [fetch(server, to, path).n_there for path in ("/one/1.png", "/two/1.png")] == [1, 1]


def test_an_image_of_another_origin_counts_as_there_and_is_named(server: WebServer, to: Path) -> None:
    to.mkdir()
    (to / "1.jpg").write_bytes(b"mine")
    fetched = fetch(server, to, "/one/1.png")
    assert (fetched.n_there, fetched.unknown, server.asked) == (1, ["1.jpg"], [])
    assert files(to) == {"1.jpg": b"mine"}


def test_the_list_of_origins_is_mended_and_never_written_through_a_link(
    server: WebServer, to: Path, tmp_path: Path
) -> None:
    server.pages = {path: whole(png(n)) for n, path in enumerate(("/a/1.png", "/b/1.png"))}
    fetch(server, to, "/a/1.png")
    journal, cache = to / ".fetched.jsonl", tmp_path / "cache"
    journal.write_text(journal.read_text() + '{"image": "2.p')  # as of a command that was killed
    os.link(journal, cache)
    before = cache.read_bytes()
    fetch(server, to, "/b/1.png")
    assert cache.read_bytes() == before
    assert [fetch(server, to, path).n_there for path in ("/a/1.png", "/b/1.png")] == [1, 1]
    assert files(to) == {"1.png": png(0), "127.0.0.1/b/1.png": png(1)}


@pytest.mark.parametrize("page", [whole(png(1, 64)), without_length(png(1, 64))])
def test_what_is_too_large_is_refused_with_and_without_a_length(server: WebServer, to: Path, page: object) -> None:
    server.pages = {"/1.png": page, "/2.png": whole(png(2))}  # type: ignore[dict-item]
    fetched = fetch(server, to, "/1.png", "/2.png", max_mb=0.01)
    assert reason(fetched) == "larger than 0.01 MB (--max-mb)"
    assert files(to) == {"2.png": png(2)}
    assert list((to / ".fetching").glob("*") if (to / ".fetching").exists() else []) == []


def test_all_files_together_are_bounded_and_the_next_command_goes_on(server: WebServer, to: Path) -> None:
    paths = [f"/{n}.png" for n in range(20)]
    server.pages = {path: whole(png(n, 32)) for n, path in enumerate(paths)}
    n_bytes = len(png(0, 32))
    fetched = fetch(server, to, *paths, max_total_gb=3.5 * n_bytes / 1e9, parallel=1)
    assert fetched.n_came == 3
    assert len(server.asked) == 4
    assert {reason.partition("GB")[2] for reason in fetched.failed.values()} == {
        " in all (--max-total-gb); the same command goes on from here"
    }
    assert fetch(server, to, *paths).n_came == 17


def test_a_file_that_is_cut_off_goes_on_where_it_ended(server: WebServer, to: Path) -> None:
    content = png(1, 200)
    server.in_turn("/1.png", cut_off(content, 50_000, ETag='"v1"'), in_ranges(content, '"v1"'))
    assert fetch(server, to, "/1.png").failed == {}
    assert files(to) == {"1.png": content}
    asked = server.asked[1][1]
    assert (asked["Range"], asked["If-Range"]) == ("bytes=50000-", '"v1"')


def test_a_file_that_changed_since_it_was_cut_off_comes_anew(server: WebServer, to: Path) -> None:
    server.in_turn("/1.png", cut_off(png(1, 200), 50_000, ETag='"v1"'), in_ranges(png(2, 200), '"v2"'))
    assert fetch(server, to, "/1.png").failed == {}
    assert files(to) == {"1.png": png(2, 200)}


def test_without_a_version_a_file_comes_anew(server: WebServer, to: Path) -> None:
    server.in_turn("/1.png", cut_off(png(1, 200), 50_000), whole(png(2, 200)))
    assert fetch(server, to, "/1.png").failed == {}
    assert files(to) == {"1.png": png(2, 200)}
    assert "Range" not in server.asked[1][1]


def test_a_file_that_is_cut_off_every_time_never_looks_whole(server: WebServer, to: Path) -> None:
    server.pages["/1.png"] = cut_off(png(1, 200), 50_000)
    assert reason(fetch(server, to, "/1.png")) == "cut off before its end"
    assert files(to) == {}


def test_another_part_than_was_asked_for_is_not_put_behind(server: WebServer, to: Path) -> None:
    content = png(1, 200)

    def wrong_part(handler: object) -> None:
        page = status(206, Content_Range=f"bytes 7-{len(content) - 1}/{len(content)}")
        page(handler)  # type: ignore[arg-type]

    server.in_turn("/1.png", cut_off(content, 50_000, ETag='"v1"'), wrong_part, in_ranges(content, '"v1"'))
    assert fetch(server, to, "/1.png").failed == {}
    assert files(to) == {"1.png": content}


def test_silence_and_dribbling_end(server: WebServer, to: Path) -> None:
    def dribble(handler: object) -> None:
        while not server.release.wait(0.02):
            handler.wfile.write(b"X")  # type: ignore[attr-defined]

    server.pages = {"/silent.png": server.stalling(png(1), 20), "/dribble.png": dribble}
    fetched = fetch(server, to, "/silent.png", "/dribble.png", timeout=0.1, file_timeout=0.3)
    assert sorted(fetched.failed.values()) == [
        "longer than 0.3 s for a file (--file-timeout)",
        "no answer for 0.1 s (--timeout)",
    ]
    assert files(to) == {}


def test_a_busy_host_is_asked_again_unless_it_wants_hours(server: WebServer, to: Path) -> None:
    server.in_turn("/1.png", status(429, Retry_After="0"), status(503), whole(png(1)))
    server.pages["/2.png"] = status(429, Retry_After="7200")
    fetched = fetch(server, to, "/1.png", "/2.png", parallel=1)
    assert reason(fetched) == "429 Too Many Requests; it asks to wait 7200 s"
    assert server.paths == ["/1.png", "/1.png", "/1.png", "/2.png"]
    assert files(to) == {"1.png": png(1)}


def test_a_host_that_never_answers_is_given_up(to: Path) -> None:
    urls = [f"http://127.0.0.1:9/{n}.png" for n in range(20)]
    fetched = fetch_images(urls, to, DownloadLimits(**{**HASTE, "parallel": 1}))  # type: ignore[arg-type]
    reasons = list(fetched.failed.values())
    assert reasons[:5] == ["no connection: Connection refused"] * 5
    assert set(reasons[5:]) == {"given up: its host did not answer, or was busy, for 5 files in a row"}


def test_redirects_are_followed_but_not_for_ever(server: WebServer, to: Path) -> None:
    server.pages = {
        "/1.png": status(302, Location="/real/x.png"),
        "/real/x.png": whole(png(1)),
        "/loop.png": status(301, Location="/loop.png"),
        "/file.png": status(302, Location="file:///etc/passwd"),
        "/me.png": status(302, Location="http://me:secret@127.0.0.1/x.png"),
    }
    fetched = fetch(server, to, "/1.png", "/loop.png", "/file.png", "/me.png")
    assert files(to) == {"1.png": png(1)}
    assert list(fetched.failed.values()) == [
        "more than 5 redirects",
        "redirected to what is no URL of http or https",
        "redirected to what is a URL with a user name or password, which is not fetched",
    ]
    assert server.paths.count("/loop.png") == 6


def run_fetch(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "lacuna", "fetch", "urls", *arguments, "--allow-private"]
    (folder / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have background jobs ignore it
    try:
        return subprocess.Popen(
            command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, inherited)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_command_that_is_stopped_leaves_nothing_whole_and_goes_on(
    server: WebServer, tmp_path: Path, how: signal.Signals
) -> None:
    content, to = png(1, 200), tmp_path / "data/raw/images"
    server.pages = {"/1.png": server.stalling(content, 50_000, ETag='"v1"'), "/2.png": whole(png(2))}
    (tmp_path / "urls.txt").write_text(f"# mine\n{server.url}/1.png\n\n{server.url}/2.png\n")
    with run_fetch(tmp_path, "urls.txt") as running:
        while not any(path.stat().st_size for path in to.glob(".fetching/*.bin")) or not (to / "2.png").exists():
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)
        running.send_signal(how)
        _, said = running.communicate()
    assert running.returncode == (130 if how == signal.SIGINT else -how)
    assert said.startswith("stopped; the same command goes on from here\n") == (how == signal.SIGINT)
    assert files(to) == {"2.png": png(2)}

    server.pages["/1.png"] = in_ranges(content, '"v1"')
    server.asked.clear()
    with run_fetch(tmp_path, "urls.txt") as running:
        printed, _ = running.communicate()
    assert (running.returncode, printed) == (0, "data/raw/images: 1 came, 1 were there, 0 failed\n")
    assert files(to) == {"1.png": content, "2.png": png(2)}
    ((path, headers),) = server.asked
    assert path == "/1.png"
    assert int(headers["Range"].removeprefix("bytes=").removesuffix("-")) > 0


@pytest.mark.slow
def test_two_commands_do_not_write_into_one_folder(server: WebServer, tmp_path: Path) -> None:
    server.pages["/1.png"] = server.stalling(png(1, 200), 50_000)
    (tmp_path / "urls.txt").write_text(f"{server.url}/1.png\n")
    with run_fetch(tmp_path, "urls.txt") as running:
        while not server.asked:
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)
        with pytest.raises(LacunaError, match="images: another command fetches into this folder"):
            fetch_images([f"{server.url}/1.png"], tmp_path / "data/raw/images", DownloadLimits(allow_private=True))
        running.kill()
