"""Reading CVAT's XML in one pass, without document type definitions: those are what XML bombs are made of."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from lacuna.data.labels.annotations.annotation_files import describe_text, read_bytes
from lacuna.errors import LacunaError
from lacuna.io.names import shortened

_EXPECTED = "CVAT's XML (CVAT for images 1.1)"

MOST_TEXT = 1 << 16
"""Characters of a name or value. CVAT's own are shorter than a page."""

MOST_PENDING = 64 << 20
"""Bytes of one element's start: masks and polygons stand in attributes."""

DEEPEST = 50

_SHAPES = {"tag", "box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"}

_ROOTS = {
    "annotation": "Pascal VOC's XML of one image",
    "View": "a labelling configuration of Label Studio",
    "html": "an HTML page",
    "svg": "a picture (SVG)",
}


@dataclass
class CvatLabels:
    """What <meta> declares: the labels' names, and of each label and attribute how it is entered (select, ...)."""

    names: list[str] = field(default_factory=list)
    inputs: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class CvatImage:
    """An <image>: the labels of its tags and objects, and (label, attribute, value) of their attributes."""

    line: int
    name: str
    subset: str
    labels: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)


def read_cvat_images(path: Path) -> tuple[CvatLabels, list[CvatImage]]:
    """The declared labels and all images. Raises LacunaError with the line where the file is not as CVAT writes it."""
    reader = _Reader(path)
    for number, piece in enumerate(read_bytes(path, _EXPECTED)):
        start = piece[:1000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
        if not number and not start.startswith(b"<"):
            what = describe_text(start.decode("utf-8", "replace"))
            raise LacunaError(f"{path}: this is {what}; expected {_EXPECTED}")
        reader.feed(piece)
    reader.feed(b"")
    return reader.labels, reader.images


class _Reader:
    def __init__(self, path: Path) -> None:
        self.labels = CvatLabels()
        self.images: list[CvatImage] = []
        self._path = path
        self._open: list[str] = []
        self._label = ""
        self._attribute = ""
        self._is_part = False
        self._input = ""
        self._texts: list[str] | None = None
        self._n_fed = 0
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.EntityDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        self._parser = parser

    def feed(self, piece: bytes) -> None:
        self._n_fed += len(piece)
        try:
            self._parser.Parse(piece, not piece)
        except expat.ExpatError as error:
            if error.code in (_NO_ELEMENTS, _UNCLOSED_TOKEN, _PARTIAL_CHARACTER) and not piece:
                self._fail("the file ends in the middle; it is cut off")
            self._fail(f"not valid XML: {expat.ErrorString(error.code)}; expected {_EXPECTED}")
        except (LookupError, ValueError):
            self._fail(f"an encoding that is not known here; save it as UTF-8, expected {_EXPECTED}")
        if self._n_fed - self._parser.CurrentByteIndex > MOST_PENDING:
            self._fail(f"one element takes more than {MOST_PENDING >> 20} MiB")

    def _fail(self, what: str) -> NoReturn:
        raise LacunaError(f"{self._path}:{max(self._parser.CurrentLineNumber, 1)}: {what}")

    def _refuse_doctype(self, *_: object) -> None:
        self._fail(
            "a document type or entity is declared, which CVAT never does; not read, because it can unfold "
            "without end or fetch files"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._open and tag != "annotations":
            known = f"; this is {_ROOTS[tag]}" if tag in _ROOTS else ""
            self._fail(f"the root is <{shortened(tag)[1:-1]}>, expected <annotations>{known}; expected {_EXPECTED}")
        self._open.append(tag)
        if len(self._open) > DEEPEST:
            self._fail(f"elements are nested more than {DEEPEST} deep; expected {_EXPECTED}")
        self._texts = None
        match self._open:
            case ["annotations", "track"]:
                self._fail("a <track>, so this is CVAT for video; export as CVAT for images 1.1")
            case ["annotations", "image"]:
                name = self._required(attributes, "name")
                self.images.append(CvatImage(self._parser.CurrentLineNumber, name, attributes.get("subset", "")))
            case ["annotations", "image", shape] if shape in _SHAPES:
                self._label = self._required(attributes, "label")
                self.images[-1].labels.append(self._label)
            case ["annotations", "image", _, "attribute"]:
                self._attribute = self._required(attributes, "name")
                self._texts = []
            case ["annotations", "meta", *_, "labels", "label"]:
                self._label, self._is_part = "", False
            case ["annotations", "meta", *_, "label", "attributes", "attribute"]:
                self._attribute = self._input = ""
            case ["annotations", "meta", *_, "label", "name" | "parent"] | [*_, "attribute", "name" | "input_type"]:
                self._texts = []

    def _end(self, _: str) -> None:
        text = "".join(self._texts or ()).strip()
        self._texts = None
        match self._open:
            case ["annotations", "image", shape, "attribute"] if shape in _SHAPES:
                self.images[-1].attributes.append((self._label, self._attribute, text))
            case ["annotations", "meta", *_, "labels", "label"]:
                if self._label and not self._is_part:
                    self.labels.names.append(self._label)
            case ["annotations", "meta", *_, "label", "name"]:
                self._label = text
            case ["annotations", "meta", *_, "label", "parent"]:  # a joint of a skeleton
                self._is_part = True
            case ["annotations", "meta", *_, "attribute", "name"]:
                self._attribute = text
            case ["annotations", "meta", *_, "attribute", "input_type"]:
                self._input = text
            case ["annotations", "meta", *_, "attributes", "attribute"]:
                self.labels.inputs[self._label, self._attribute] = self._input
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._texts is not None:
            self._texts.append(text)
            if sum(map(len, self._texts)) > MOST_TEXT:
                self._fail(f"a name or value of more than {MOST_TEXT} characters")

    def _required(self, attributes: dict[str, str], name: str) -> str:
        if name not in attributes:
            self._fail(f"<{self._open[-1]}> without {name}; expected {_EXPECTED}")
        if len(attributes[name]) > MOST_TEXT:
            self._fail(f"<{self._open[-1]}> has a {name} of more than {MOST_TEXT} characters")
        return attributes[name]


_NO_ELEMENTS = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]
_UNCLOSED_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]
_PARTIAL_CHARACTER = expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR]
