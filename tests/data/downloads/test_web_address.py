"""What is asked for and what is refused: addresses of this machine and of private networks, in every spelling."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lacuna.data.downloads import web_address
from lacuna.data.downloads.limits import DownloadLimits
from lacuna.data.downloads.outcome import DownloadFailedError
from lacuna.data.downloads.web_address import is_public, look_up, parse_url
from lacuna.data.fetch_urls import fetch_images
from tests.data.web_server import WebServer, png, status, web_server, whole

PRIVATE = "an address that is not on the public internet (private, of this machine, or reserved); --allow-private"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as server:
        server.pages["/1.png"] = whole(png(1))
        yield server


def fetch_one(url: str, to: Path, *, allow_private: bool = False) -> str:
    fetched = fetch_images([url], to, DownloadLimits(rate=1000, first_wait=0, allow_private=allow_private))
    return next(iter(fetched.failed.values()), "")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0x7f.1", "0.0.0.0", "①②⑦.0.0.1"),
        *("localhost", "LOCALHOST", "localhost.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "[::]"),
        *("[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[::127.0.0.1]"),
    ],
)
def test_this_machine_is_not_asked_in_any_spelling(server: WebServer, tmp_path: Path, host: str) -> None:
    port = server.http.server_port
    assert fetch_one(f"http://{host}:{port}/1.png", tmp_path).startswith((PRIVATE, "the name of the host is not known"))
    assert server.asked == []


def test_the_spellings_do_lead_to_this_machine(server: WebServer, tmp_path: Path) -> None:
    for number, host in enumerate(("127.1", "0x7f000001", "2130706433", "localhost", "①②⑦.0.0.1")):
        url = f"http://{host}:{server.http.server_port}/1.png"
        assert fetch_one(url, tmp_path / str(number), allow_private=True) == ""


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "192.0.0.8", "198.18.0.1"),
        *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "0.1.2.3", "203.0.113.5"),
        *("fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "64:ff9b::c0a8:101", "2002:a00:1::", "100::1", "::10.0.0.1"),
    ],
)
def test_an_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]
)
def test_an_address_is_public(address: str) -> None:
    assert is_public(address)


def answering(*addresses: str) -> Any:
    """As `getaddrinfo`, for a name that has these addresses, one after another where it is asked again."""
    waiting = [address.split() for address in addresses]

    def getaddrinfo(_host: str, port: int, *_: object, **__: object) -> list[Any]:
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return getaddrinfo


def test_a_name_that_means_this_machine_is_refused(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering("127.0.0.1"))
    url = f"http://images.example.org:{server.http.server_port}/1.png"
    assert fetch_one(url, tmp_path).startswith(PRIVATE)
    assert server.asked == []


def test_of_several_addresses_the_public_ones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering("10.0.0.1 8.8.8.8 127.0.0.1"))
    found = look_up(parse_url("https://example.org/1.png"), allow_private=False)
    assert [place for _, place in found] == [("8.8.8.8", 443)]


def test_the_connection_goes_to_the_address_that_was_checked(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is resolved a second time means a machine where nobody answers."""
    monkeypatch.setattr(socket, "getaddrinfo", answering("127.0.0.1", "127.0.0.77"))
    assert fetch_one(f"http://example.org:{server.http.server_port}/1.png", tmp_path, allow_private=True) == ""
    ((_, headers),) = server.asked
    assert headers["Host"] == f"example.org:{server.http.server_port}"


@pytest.mark.parametrize("location", ["http://127.0.0.2:{port}/1.png", "//169.254.169.254/1.png", "http://[::1]/1.png"])
def test_a_redirect_to_a_private_address_is_refused(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    checked = web_address.is_public  # the server stands for a public one
    monkeypatch.setattr(web_address, "is_public", lambda text: text == "127.0.0.1" or checked(text))
    port = server.http.server_port
    server.pages["/public.png"] = status(302, Location=location.format(port=port))
    assert fetch_one(f"{server.url}/public.png", tmp_path).startswith(PRIVATE)
    assert server.paths == ["/public.png"]


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.org/1.png", "file:///etc/passwd", "1.png", "http:///1.png", "https://", "//example.org/1.png"),
        *("http://example.org:port/1.png", "http://[::1/1.png", "http://exa mple.org/1.png", "http://a..b/1.png"),
        *("http://example.org/1.png\r\nHost: other", "http://" + "a" * 70 + ".org/1.png", "data:image/png;base64,AA=="),
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(DownloadFailedError, match="no URL of http or https"):
        parse_url(url)


@pytest.mark.parametrize("url", ["http://me:secret@example.org/1.png", "https://me@example.org", "http://@a.org/"])
def test_a_url_with_credentials_is_refused(url: str) -> None:
    with pytest.raises(DownloadFailedError, match="user name or password"):
        parse_url(url)


def test_a_url_is_encoded_as_browsers_do() -> None:
    parsed = parse_url("HTTPS://Bücher.example:8443/ä b/100%25.png?q=ü&x=1#part")
    assert (parsed.scheme, parsed.host, parsed.port) == ("https", "xn--bcher-kva.example", 8443)
    assert parsed.target == "/%C3%A4%20b/100%25.png?q=%C3%BC&x=1"
    assert parse_url("http://example.org?x").target == "/?x"


def test_a_proxy_of_the_environment_is_not_used(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch_one(f"{server.url}/1.png", tmp_path, allow_private=True) == ""
