"""Why labels are missing, as far as figures depend on it: words that stage `evaluate` writes and the report reads."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from lacuna.stats.numbers import in_percent


class Selection(StrEnum):
    """Whether the chance of being labelled depends on the label, and whether that can be corrected."""

    NONE_MISSING = "none missing"
    NOT_SHOWN = "no selection shown"
    BY_LABEL = "by label"
    BY_IMAGE = "by image"
    NOT_TOLD = "not told"


def describe_selection(name: str, found: Mapping[str, Any]) -> str:
    """A sentence on the missing labels of a target, from its block in a metrics file; empty where none is needed.

    >>> shares = {"prevalence_known": 0.41, "prevalence_all": 0.22, "prevalence_low": 0.19, "prevalence_high": 0.25}
    >>> describe_selection("striped", {"kind": "binary", "selection": "by label", "population": "all", **shares})
    'striped is present in 41 % of the labelled images, but in about 22 % [19-25] of all: these labels were given more \
often where the answer is yes; its figures are for all images'
    """
    if found["selection"] == Selection.BY_IMAGE:
        return (
            f"{name}: which images are labelled depends on more than the answer, and that cannot be corrected: its "
            "figures describe labelled images only"
        )
    if found["selection"] != Selection.BY_LABEL:
        return ""
    known, every = found["prevalence_known"], found["prevalence_all"]
    if in_percent(known) == in_percent(every):
        return ""
    ends = [f"{100 * found[end]:.0f}" for end in ("prevalence_low", "prevalence_high") if end in found]
    about = f"{in_percent(every)} [{'-'.join(ends)}]" if ends else in_percent(every)
    if found["kind"] == "binary":
        answer, where = "present", f"the answer is {'yes' if known > every else 'no'}"
    else:
        answer = found["prevalence_class"]
        where = f"it is {'' if known > every else 'not '}{answer}"
    whose = "all images" if found["population"] == "all" else "labelled images only (evaluate.population)"
    return (
        f"{name} is {answer} in {in_percent(known)} of the labelled images, but in about {about} of all: these labels "
        f"were given more often where {where}; its figures are for {whose}"
    )
