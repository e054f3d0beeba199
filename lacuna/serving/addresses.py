"""Under which names and which path the service may be addressed, from the options of `python -m lacuna serve`."""

import ipaddress
import re
from collections.abc import Sequence

from lacuna.errors import LacunaError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Always allowed: no stranger's name is one of them."""

ANY_HOST = "*"

HOST_NAME = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*", re.ASCII)
PLAIN_PATH = re.compile(r"(/(?!\.\.?(/|$))[\w.~-]+)*", re.ASCII)


def read_allowed_hosts(given: Sequence[str], bound_to: str) -> tuple[str, ...]:
    """The names that requests may ask for. Without one given: the loopback names where the service is `bound_to` such
    an address, else any. Raises LacunaError for what is neither a name, nor *.NAME, nor an IP address.

    >>> read_allowed_hosts(["Example.org", "[::2]"], "0.0.0.0")
    ('localhost', '127.0.0.1', '::1', 'example.org', '::2')
    >>> read_allowed_hosts([], "127.0.0.2"), read_allowed_hosts([], "0.0.0.0")
    (('localhost', '127.0.0.1', '::1', '127.0.0.2'), ('*',))
    """
    if ANY_HOST in given or not (given or _is_loopback(bound_to)):
        return (ANY_HOST,)
    own = [_host(name) for name in given or [bound_to]]
    return tuple(dict.fromkeys([*LOOPBACK, *own]))


def read_root_path(given: str) -> str:
    """The path below which a proxy offers the service: a slash before it, none behind. Raises LacunaError for what is
    no plain path.

    >>> read_root_path("lacuna"), read_root_path("/lacuna/"), read_root_path("/")
    ('/lacuna', '/lacuna', '')
    """
    path = f"/{given.strip('/')}" if given.strip("/") else ""
    if not PLAIN_PATH.fullmatch(path):
        raise LacunaError(
            f"--root-path: expected a path such as /lacuna, of letters, digits and . _ ~ - alone, received {given!r}"
        )
    return path


def usual_address(text: str) -> str | None:
    """An IP address as it is usually written; None for what is none.

    >>> usual_address("0:0::1"), usual_address("localhost")
    ('::1', None)
    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _host(given: str) -> str:
    bare = given.removeprefix("[").removesuffix("]")
    address = usual_address(bare)
    if address is None and not HOST_NAME.fullmatch(bare):
        raise LacunaError(
            "--allowed-hosts: expected names such as example.org or *.example.org, or IP addresses, without a port, "
            f"received {given!r}"
        )
    return address or bare.lower()


def _is_loopback(host: str) -> bool:
    address = usual_address(host)
    return host in LOOPBACK if address is None else ipaddress.ip_address(address).is_loopback
