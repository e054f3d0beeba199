"""Which image formats are read, and which files hold pictures in another one: what these are and what to do."""

from typing import NamedTuple

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF")
"""The formats that are opened. Others that Pillow knows (EPS runs Ghostscript) are refused by their first bytes."""

UPLOAD_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")
"""Those that a service takes without being told: what browsers and phones send."""


def _suffixes(words: str) -> frozenset[str]:
    return frozenset(f".{word}" for word in words.split())


IMAGE_SUFFIXES = _suffixes("jpg jpeg jpe jfif png webp gif bmp dib tif tiff ppm pgm pbm pnm avif heic heif heics hif")
"""The ends of names that count as images, in lower case. What is inside decides the format, not the suffix."""


class Unread(NamedTuple):
    """A kind of file that is not read: what it is and what its owner can do.

    It is known by its suffixes, in lower case, and by `marks`: bytes at a place of its content.
    """

    what: str
    advice: str
    suffixes: frozenset[str]
    marks: tuple[tuple[int, bytes], ...] = ()


CAMERA_RAW = Unread(
    "a camera's raw file",
    "develop to JPEG or PNG",
    _suffixes("cr2 cr3 crw nef nrw arw srf sr2 dng orf rw2 raf pef srw x3f 3fr iiq erf mrw"),
    ((4, b"ftypcrx"),),
)
"""Inside most of them is a TIFF file whose first image is a thumbnail."""

UNREAD_PICTURES = (
    CAMERA_RAW,
    Unread("a JPEG XL picture", "convert to JPEG or PNG", _suffixes("jxl"), ((0, b"\xff\x0a"), (4, b"JXL \r\n"))),
    Unread(
        "a JPEG 2000 picture",
        "convert to JPEG or PNG",
        _suffixes("jp2 j2k jpf jpx jpc j2c"),
        ((4, b"jP  \r\n"), (0, b"\xff\x4f\xff\x51")),
    ),
    Unread(
        "a DICOM file",
        "export to PNG, in the window that shows what matters",
        _suffixes("dcm dicom"),
        ((128, b"DICM"),),
    ),
)
"""Files of one picture each. They are rejected by name, as damaged images are."""

UNREAD_CONTAINERS = (
    Unread(
        "a drawing or document",
        "export the pictures inside to PNG",
        _suffixes("svg svgz pdf djvu eps ps ai psd psb xcf kra"),
        ((0, b"%PDF"), (0, b"<svg"), (0, b"8BPS")),
    ),
    Unread(
        "a picture in a format that is not read",
        "convert to PNG",
        _suffixes(
            "tga ico icns cur pcx sgi exr hdr dds xbm xpm jxr qoi bpg flif jls jb2 mng wmf emf pict pct fits fit fts"
        ),
    ),
    Unread(
        "a volume or slide", "export the slices to PNG", _suffixes("nii nrrd mha mhd czi nd2 lif svs ndpi vsi scn mrxs")
    ),
    Unread("an archive", "unpack first", _suffixes("zip tar gz tgz bz2 xz 7z rar zst"), ((0, b"PK\3\4"),)),
    Unread(
        "a file of arrays or records",
        "save the images inside as PNG files",
        _suffixes("npy npz h5 hdf5 mat pkl pickle parquet arrow feather tfrecord lmdb mdb"),
        ((0, b"\x93NUMPY"), (0, b"\x89HDF")),
    ),
    Unread("a video", "save the frames as PNG files", _suffixes("mp4 m4v mov avi mkv webm mpg mpeg wmv")),
)
"""Files that may hold pictures among other things. They are left out with a warning."""

UNREAD_SUFFIXES = frozenset().union(*(kind.suffixes for kind in UNREAD_PICTURES))

MARK_BYTES = 132
"""So much of the content tells the kind of a file."""


def describe_unread(content: bytes) -> str:
    """What the content of a file that cannot be read as an image is, and what to do; "" where the first bytes do not
    tell."""
    for kind in (*UNREAD_PICTURES, *UNREAD_CONTAINERS):
        if any(content.startswith(mark, place) for place, mark in kind.marks):
            return f"{kind.what}, which is not read: {kind.advice}"
    return ""
