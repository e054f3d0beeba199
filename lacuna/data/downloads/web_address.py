"""Which URLs are asked for, and at which addresses: those of the public internet.

A name is resolved once and the connection goes to the address that was checked, so that a name that means another
machine a moment later leads nowhere else.
"""

import contextlib
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from lacuna.data.downloads.outcome import DownloadFailedError, TryAgainError
from lacuna.io.names import UNPRINTABLE

PORTS = {"http": 80, "https": 443}
MOST_CHARACTERS_OF_URL = 8000
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
_PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")
_KEPT_IN_URLS = "%/:@!$&'()*+,;=~-._"
_MOST_ADDRESSES = 4


@dataclass(frozen=True)
class WebAddress:
    """A URL in the parts that a request is made of. `host`: in ASCII, without brackets. `target`: path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"

    def follow(self, location: str) -> "WebAddress":
        """Where a redirect leads. Raises DownloadFailedError as `parse_url` does."""
        with contextlib.suppress(UnicodeError):
            location = location.encode("latin-1").decode()  # what stands in a header is read as Latin-1
        try:
            return parse_url(urljoin(self.url, location.strip()))
        except (ValueError, DownloadFailedError) as error:
            raise DownloadFailedError(f"redirected to what is {error}") from None


def parse_url(text: str) -> WebAddress:
    """The parts of a URL, blanks and letters outside of ASCII in it encoded.

    Raises DownloadFailedError at what is no URL of http or https with a host, and at one with a user name or password.
    """
    no_url = "no URL of http or https"
    if len(text) > MOST_CHARACTERS_OF_URL or UNPRINTABLE.search(text):
        raise DownloadFailedError(no_url)
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        raise DownloadFailedError(no_url) from None
    if scheme not in PORTS or not host:
        raise DownloadFailedError(no_url)
    if "@" in parts.netloc:
        raise DownloadFailedError("a URL with a user name or password, which is not fetched")
    query = f"?{quote(parts.query, safe=_KEPT_IN_URLS + '?')}" if parts.query else ""
    return WebAddress(scheme, _ascii(host, no_url), port or PORTS[scheme], f"{_path(parts.path)}{query}")


def _path(path: str) -> str:
    return quote(path if path.startswith("/") else f"/{path}", safe=_KEPT_IN_URLS)


def _ascii(host: str, no_url: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise DownloadFailedError(no_url) from None
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        raise DownloadFailedError(no_url) from None
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise DownloadFailedError(no_url)
    return name


def look_up(address: WebAddress, *, allow_private: bool) -> Sequence[tuple[int, Any]]:
    """The addresses of a host to connect to, each with its family: those that are public, unless `allow_private`.

    Raises DownloadFailedError when none is and when nobody knows the name, TryAgainError when that cannot be asked now.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise TryAgainError("no connection: the name of the host cannot be looked up") from None
        raise DownloadFailedError("the name of the host is not known") from None
    usable = [(family, place) for family, _, _, _, place in found if allow_private or is_public(str(place[0]))]
    if not usable:
        raise DownloadFailedError(
            "an address that is not on the public internet (private, of this machine, or reserved); "
            "--allow-private fetches it"
        )
    return usable[:_MOST_ADDRESSES]


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet, and so is an IPv4 address inside of it.

    >>> [is_public(text) for text in ("93.184.216.34", "10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fe80::1%lo")]
    [True, False, False, False, False]
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
        return address in _UNICAST and address.is_global
    # Which of the special networks are global, the library has changed its mind about.
    return address.is_global and address not in _PROTOCOLS and not (address.is_multicast or address.is_reserved)
