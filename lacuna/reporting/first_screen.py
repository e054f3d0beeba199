"""The first screen of the report: what to do next, a sentence for each target, and what the figures rest on."""

from collections.abc import Mapping, Sequence

from lacuna.evaluation.verdicts import describe_missing
from lacuna.reporting.advice import Advice, Use
from lacuna.reporting.page import PageTable, Section
from lacuna.reporting.sections import ReportContent
from lacuna.reporting.target_facts import listed_by_use

GOOD = (Use.YES, Use.PARTLY, Use.SUGGESTIONS)

MOST_IN_TITLE = 3


def page_title(targets: Sequence[str]) -> str:
    """
    >>> page_title(["striped"]), page_title(["red", "blue", "old", "new", "long"])
    ('Can the model label striped?', 'Can the model label red, blue, old and 2 more?')
    """
    if len(targets) <= MOST_IN_TITLE:
        return f"Can the model label {' and '.join(filter(None, [', '.join(targets[:-1]), targets[-1]]))}?"
    return f"Can the model label {', '.join(targets[:MOST_IN_TITLE])} and {len(targets) - MOST_IN_TITLE} more?"


def conclude_uses(advice: Mapping[str, Advice]) -> str:
    """One line on all targets.

    >>> conclude_uses({"red": Advice(Use.YES, ""), "old": Advice(Use.NO, ""), "new": Advice(Use.YES, "")})
    'Yes: red, new. No: old.'
    """
    return " ".join(
        f"{use.capitalize()}: {', '.join(names)}{f' and {more} more' if more else ''}."
        for use, names, more in listed_by_use(advice)
    )


def first_screen(found: ReportContent, advice: Mapping[str, Advice], precision: float, certainty: float) -> Section:
    """For each target whether to use it and what to do next."""
    rows = [(name, str(of_target.use), of_target.sentence) for name, of_target in advice.items()]
    weak = frozenset(name for name, of_target in advice.items() if of_target.use not in GOOD)
    notes = [
        f"“By itself”: only where it is so sure that at least {precision:.0%} of such answers are right "
        f"(with {certainty:.0%} certainty). All other images are for a person.",
        *describe_missing(found.validation),
    ]
    return Section(
        "What to do next",
        describe_images(found),
        tables=[PageTable(("label", "use it?", "what to do"), rows, weak=weak)],
        notes=notes,
    )


def describe_images(found: ReportContent) -> str:
    """How many of the images that are there were used, why not the others, and what each part was for."""
    images = found.explore["images"]
    used = found.prepare["images"]
    lost = {
        "left out because of data.max_images": images.get("left_out", 0),
        "without a label": found.prepare["images_without_labels"],
        "that could not be read": images["rejected"],
    }
    gone = [f"{n:,} {why}" for why, n in lost.items() if n]
    share = f"{used:,} of {used + sum(lost.values()):,} images were used" if gone else f"All {used:,} images were used"
    reasons = f" (not: {', '.join(gone)})" if gone else ""
    tested = used - images["train"] - images["val"]
    return (
        f"{share}{reasons}: the model learned from {images['train']:,}, its decisions were set on {images['val']:,}, "
        f"and it was tested on the other {tested:,}."
    )
