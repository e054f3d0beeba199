"""How every picture looks: colours, fonts, and a file that is whole or absent."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from lacuna.io.atomic import atomic_file

# Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
GREY, LIGHT, DARK = "#6E6E6E", "#DADADA", "#333333"

STYLE: Any = {
    "text.parse_math": False,  # names of classes may hold dollar signs
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": DARK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "savefig.dpi": 150,
    "lines.solid_capstyle": "round",
}
LONGEST_NAME = 22


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield a figure of so many inches; it is written to `path` when the block ends without an error."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
        yield figure
        with atomic_file(path) as partial:
            figure.savefig(partial)


def shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def legend(figure: Any, *handles: Line2D) -> None:
    """Put a legend of these handles in one row below the figure's panels."""
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)
