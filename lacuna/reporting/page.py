"""What a page consists of, and the page itself: one HTML file that needs no other file and no network."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

Row = Sequence[str]


@dataclass(frozen=True)
class Table:
    """Cells as text. A row whose first cell is in `weak` is drawn as a warning."""

    header: Row
    rows: Sequence[Row]
    caption: str = ""
    weak: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Picture:
    path: Path
    caption: str

    @property
    def source(self) -> str:
        """The PNG itself, as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.path.read_bytes()).decode('ascii')}"


@dataclass(frozen=True)
class Section:
    """One question and its answer. What is empty is left out; `more` pictures are folded away until asked for."""

    title: str
    question: str
    said: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    more: Sequence[Picture] = ()
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """The first section is the first screen."""

    title: str
    conclusion: str
    sections: Sequence[Section] = field(default_factory=tuple)


def existing(*pictures: Picture) -> tuple[Picture, ...]:
    """Those that were drawn: stages leave out pictures that would be empty."""
    return tuple(picture for picture in pictures if picture.path.is_file())


def render(page: Page) -> str:
    """The page as HTML; whatever comes from the data is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files("lacuna.reporting").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(page=page)
