"""What a file is by its first bytes, where it is no text: for "this is ...", whatever the file is called."""

_KINDS = (
    (b"PK\x03\x04", "a ZIP archive or an Excel file; unpack it, or save it in that format"),
    (b"\x1f\x8b", "a gzip archive; unpack it with gunzip"),
    (b"PAR1", "a Parquet file; data.source: table reads it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file; save it in that format"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"SQLite format 3", "a SQLite data base; export from it"),
)


def kind_of_file(start: bytes) -> str:
    """What a file with these first bytes is, and what to do with it; "" where it may be text.

    >>> kind_of_file(b"%PDF-1.7"), kind_of_file(b"image,kind")
    ('a PDF document', '')
    """
    return next((kind for mark, kind in _KINDS if start.startswith(mark)), "")
