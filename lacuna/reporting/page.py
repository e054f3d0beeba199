"""What a page consists of, and the page itself: one HTML file that needs no other file and no network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from lacuna.reporting.pictures import SectionPictures


@dataclass(frozen=True)
class PageTable:
    """Cells as text. A row whose first cell is in `weak` is drawn as a warning."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    weak: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Section:
    """One question and its answer; `notes` stand below its tables. What is empty is left out."""

    title: str
    question: str
    said: Sequence[str] = ()
    tables: Sequence[PageTable] = ()
    notes: Sequence[str] = ()
    pictures: SectionPictures = field(default_factory=SectionPictures)
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """The first section is the first screen."""

    title: str
    conclusion: str
    sections: Sequence[Section] = field(default_factory=tuple)


def render_page(page: Page) -> str:
    """The page as HTML; whatever comes from the data is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files("lacuna.reporting").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(page=page)
