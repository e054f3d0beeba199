"""Addresses of pictures in Label Studio's tasks: of files that it serves itself, and of any others by their path."""

from urllib.parse import parse_qs, quote, unquote, urlsplit

from lacuna.errors import LacunaError

LOCAL_FILES = "/data/local-files/"
"""Where Label Studio serves files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT; the path below it stands in `d`."""


def local_file_address(path: str) -> str:
    """The address of a file by its path below the document root.

    >>> local_file_address("photos/a b&c.jpg")
    '/data/local-files/?d=photos/a%20b%26c.jpg'
    """
    return f"{LOCAL_FILES}?d={quote(path)}"


def local_file_path(address: str) -> str | None:
    """The path below the document root that an address names, with or without a host; None for any other address.

    >>> local_file_path("http://localhost:8080/data/local-files/?d=photos/a%20b.jpg")
    'photos/a b.jpg'
    >>> local_file_path("http://example.org/photos/a.jpg")
    """
    try:
        parts = urlsplit(address)
        paths = parse_qs(parts.query, max_num_fields=10).get("d", []) if parts.path.endswith(LOCAL_FILES) else []
    except ValueError:  # a malformed host, or too many fields
        return None
    return paths[0] if len(paths) == 1 else None


def prefixed_address(prefix: str, path: str) -> str:
    """The address of a file below a URL. Raises LacunaError when that is none that a browser can load pictures from.

    >>> prefixed_address("https://example.org/photos", "a b/1.jpg")
    'https://example.org/photos/a%20b/1.jpg'
    """
    if urlsplit(prefix).scheme not in ("http", "https", "s3", "gs", "azure-blob"):
        raise LacunaError(f"--url-prefix {prefix}: expected an address such as https://host/photos")
    return f"{prefix.rstrip('/')}/{quote(path)}"


def address_parts(address: str) -> list[str]:
    """The components of the path that an address or a plain path ends in, decoded, folders first.

    >>> address_parts("/data/local-files/?d=photos/a%20b.jpg"), address_parts("s3://bucket/photos/1.jpg?x=1")
    (['photos', 'a b.jpg'], ['photos', '1.jpg'])
    >>> address_parts(r"C:\\photos\\50%.jpg")
    ['C:', 'photos', '50%.jpg']
    """
    path = local_file_path(address)
    if path is None and "://" in address:
        try:
            path = unquote(urlsplit(address).path)
        except ValueError:
            path = ""
    elif path is None:
        path = address
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
