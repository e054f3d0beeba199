"""The pictures of the report. To add one: a row in REPORT_PICTURES; its file is in the deps of `report` in dvc.yaml.

The page stays a file that can be mailed: pictures are made smaller, and of many targets those come first that need a
look most; the others are named with their path.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image

from lacuna.io.plurals import number_of

MOST_BYTES = 3_300_000
"""Of all pictures together, before base64 makes a third more of them: the page stays below 5 MB."""

CHART_COLOURS = 6000
"""A picture of at most so many colours is a chart and kept exactly; one of more holds photos."""

QUALITY = 82
"""Of WebP, 0 to 100: at this one a sheet of photos is a sixth of its PNG, and no difference is seen beside it."""


LONGEST_SIDE = 16383
"""Pixels that WebP allows; the curves of two hundred targets below each other are longer, and nobody scrolls them."""


class ReportPicture(NamedTuple):
    """A picture in a section of the page; `file` below plots/. With {target} in its file it is one for each target.

    `place`: on the page, folded away until asked for, or the first target's on the page and the others' folded away.
    """

    section: str
    file: str
    caption: str
    place: Literal["open", "folded", "first open"] = "folded"


REPORT_PICTURES = (
    ReportPicture(
        "data",
        "explore/labels.png",
        "Images by label in each part",
        "open",
    ),
    ReportPicture(
        "data", "explore/views.png", "Images and their augmented views in training: is the class still there?", "open"
    ),
    ReportPicture("data", "explore/classes.png", "Images of each class"),
    ReportPicture("data", "explore/samples/{target}.png", "Images by the class of {target}"),
    ReportPicture("data", "explore/missing_by_class.png", "Where labels are missing more often"),
    ReportPicture("data", "explore/association.png", "Which targets go together"),
    ReportPicture("data", "explore/files.png", "The files before they were made square"),
    ReportPicture("data", "explore/odd.png", "Images unlike the others"),
    ReportPicture("data", "explore/rejected.png", "Images that could not be read"),
    ReportPicture(
        "audit",
        "audit/signal.png",
        "What can be told before training",
        "open",
    ),
    ReportPicture("audit", "audit/metadata.png", "What the file alone tells: format, size, brightness"),
    ReportPicture("work", "audit/learning_curve.png", "Better with more labels?", "open"),
    ReportPicture("work", "audit/label_issues.png", "Label issues: data/audit/label_issues.csv"),
    ReportPicture("work", "audit/to_label.png", "What to label next: data/audit/to_label.csv"),
    ReportPicture("work", "audit/conflicts.png", "Copies with different labels"),
    ReportPicture("training", "loss_curve.png", "How wrong its probabilities were (log loss) in both phases", "open"),
    ReportPicture("result", "attributes.png", "Every label beside the best guess without a look (orange)", "open"),
    ReportPicture("result", "baseline.png", "Every label beside simpler models", "open"),
    ReportPicture("result", "pr_curves.png", "Precision against recall, and what was decided for"),
    ReportPicture("result", "reliability.png", "Is what it says with 80 % true in 80 % of the cases?"),
    ReportPicture("failures", "explain/slices.png", "Kinds of images that are worse, beside the rest", "open"),
    ReportPicture("failures", "confusion/{target}.png", "{target}: what it is, what it is taken for"),
    ReportPicture("failures", "explain/confused/{target}.png", "What is confused in {target}"),
    ReportPicture("failures", "explain/embedding/{target}.png", "Validation images by likeness: {target}"),
    ReportPicture("attention", "explain/faithfulness.png", "Do the maps hold?", "open"),
    ReportPicture("attention", "explain/examples/{target}.png", "{target}: what decisions rest on", "first open"),
)


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as it stands on the page: `source` is a data: address that holds all of it."""

    source: str
    caption: str


@dataclass(frozen=True)
class SectionPictures:
    """Of a section: pictures on the page, those folded away, and the files in plots/ there was no room for."""

    open: tuple[EmbeddedPicture, ...] = ()
    folded: tuple[EmbeddedPicture, ...] = ()
    left_out: tuple[Path, ...] = ()

    def sentence(self) -> list[str]:
        """Where to find what is left out, if anything is."""
        folders = sorted({path.parent.as_posix() for path in self.left_out})
        n = len(self.left_out)
        said = f"{number_of(n, 'more picture')} would make this page too large: see {', '.join(folders)}"
        return [said] if n else []


def embed_pictures(
    plots: Path, targets: Sequence[str], urgent: Sequence[str], most_bytes: int = MOST_BYTES
) -> dict[str, SectionPictures]:
    """The pictures of each section that were drawn, in the order of REPORT_PICTURES and of `targets`.

    `urgent`: the same targets, in the order in which their pictures are taken until `most_bytes` are spent. A picture
    that would be empty was not drawn.
    """
    sources: dict[Path, str] = {}
    left_out: set[Path] = set()
    left = most_bytes
    for file in _by_importance(plots, urgent):
        content = shrink(file) if left > 0 else None
        if content is None:
            left_out.add(file)
            continue
        left -= len(content)
        if left < 0:  # and nothing after it is taken: a smaller picture of a less urgent target would look chosen
            left_out.add(file)
        else:
            sources[file] = f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}"
    found = {}
    for section in dict.fromkeys(row.section for row in REPORT_PICTURES):
        rows = [row for row in REPORT_PICTURES if row.section == section]
        found[section] = _place(plots, rows, targets, sources, left_out)
    return found


def shrink(file: Path) -> bytes | None:
    """A picture as WebP: exactly as it is where it is a chart, with unseen losses where it holds photos.

    None where a side is longer than LONGEST_SIDE.
    """
    content = io.BytesIO()
    with Image.open(file) as opened:
        if max(opened.size) > LONGEST_SIDE:
            return None
        picture = opened.convert("RGB")
    chart = picture.getcolors(CHART_COLOURS) is not None
    picture.save(content, "WEBP", quality=QUALITY, lossless=chart, method=4)
    return content.getvalue()


def _by_importance(plots: Path, urgent: Sequence[str]) -> Iterator[Path]:
    """The files that exist: those of all targets together first, then target by target."""
    for target in ("", *urgent):
        for row in REPORT_PICTURES:
            file = plots / row.file.format(target=target)
            if ("{target}" in row.file) == bool(target) and file.is_file():
                yield file


def _place(
    plots: Path,
    rows: Sequence[ReportPicture],
    targets: Sequence[str],
    sources: Mapping[Path, str],
    left_out: set[Path],
) -> SectionPictures:
    shown: list[EmbeddedPicture] = []
    folded: list[EmbeddedPicture] = []
    missing: list[Path] = []
    for row in rows:
        names = targets if "{target}" in row.file else ("",)
        files = [(name, plots / row.file.format(target=name)) for name in names]
        missing += [file for _, file in files if file in left_out]
        pictures = [
            EmbeddedPicture(sources[file], row.caption.format(target=name)) for name, file in files if file in sources
        ]
        n_open = {"open": len(pictures), "folded": 0, "first open": 1}[row.place]
        shown += pictures[:n_open]
        folded += pictures[n_open:]
    return SectionPictures(tuple(shown), tuple(folded), tuple(missing))
