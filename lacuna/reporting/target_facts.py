"""From the metrics files to what `advise` looks at, with words for which labels are lacking and where they are."""

import math
import re
from collections.abc import Mapping
from typing import Any

from lacuna.calibration.selection import Selection
from lacuna.evaluation.verdicts import LEARNED, TOO_FEW
from lacuna.presentation.audit_verdicts import MetadataVerdict, SignalVerdict
from lacuna.reporting.advice import Advice, Automation, TargetFacts, Use, advise

Content = Mapping[str, Any]
"""What a metrics file holds."""

TO_LABEL = "data/audit/to_label.csv"
TO_LABEL_TEST = "data/audit/to_label_test.csv"

MOST_RARE = 3
"""So many of a categorical target's rarest classes are named."""

URGENT = (Use.CARE, Use.NOT_YET, Use.NO, Use.SUGGESTIONS, Use.PARTLY, Use.YES)
"""In which order a person should look at targets."""


def facts_of(
    name: str,
    prepare: Content,
    audit: Content,
    test: Content,
    automation: Automation | None,
    min_positives: int,
) -> TargetFacts:
    """What is known of a target. `prepare`, `audit` and `test`: the metrics files of these names; `min_positives`: that
    of `calibrate`, with fewer of the rarer class nothing is judged."""
    found, audited, counted = test["targets"][name], audit["targets"].get(name, {}), prepare["targets"][name]
    binary = found["kind"] == "binary"
    signal, verdict = audited.get("verdict", ""), found["verdict"]
    metadata = audited.get("metadata", {})
    confounded = metadata.get("verdict") == MetadataVerdict.CONFOUNDED
    selected = found["selection"] in (Selection.BY_IMAGE, Selection.BY_LABEL) and found["population"] == "labelled"
    if verdict == TOO_FEW:
        wanted, where = _to_judge(name, binary, counted, found["n_unknown"], min_positives)
    elif signal == SignalVerdict.TOO_FEW:
        wanted, where = _to_learn(name, binary, counted, min_positives)
    else:
        promised = automation if verdict == LEARNED else None
        wanted, where = _to_answer(name, binary, counted, promised, audited.get("to_label", {}))
    return TargetFacts(
        name=name,
        classes=tuple(counted["train"]),
        binary=binary,
        verdict=verdict,
        signal=signal,
        curve=audited.get("learning_curve", {}).get("verdict", ""),
        confounded=re.sub(r" \(AUC [\d.]+\)", "", metadata.get("by", "")) if confounded else "",
        only_labelled=selected,
        right=found.get("precision" if binary else "accuracy", 0.0),
        automation=automation,
        wanted=wanted,
        where=where,
        issues=audited.get("label_issues", {}).get("wrong", 0),
    )


def by_urgency(advice: Mapping[str, Advice]) -> list[str]:
    """Targets in the order in which a person should look at them."""
    return sorted(advice, key=lambda name: URGENT.index(advice[name].use))


def advise_all(facts: Mapping[str, TargetFacts]) -> dict[str, Advice]:
    return {name: advise(of_target) for name, of_target in facts.items()}


def about(number: float) -> str:
    """A number of images for a sentence, rounded up to two digits.

    >>> about(4), about(58.2), about(304.1)
    ('4', '59', '310')
    """
    whole = math.ceil(number - 1e-9)
    unit = 10 ** max(len(str(whole)) - 2, 0)
    return f"{math.ceil(whole / unit) * unit:,}"


def _to_judge(name: str, binary: bool, counted: Content, unknown: int, enough: int) -> tuple[str, str]:
    """Labels of the rarer class that the test part lacks, from its unlabelled images if they have enough of it."""
    of_class: Mapping[str, int] = counted["test"]
    known = sum(of_class.values())
    common = max(of_class, key=lambda word: (of_class[word], _in_all(counted, word)))
    rare = known - of_class[common]
    lacking = max(enough - rare, 1)
    every = sum(sum(counted[part].values()) for part in ("train", "val", "test"))
    of_rare = 1 - _in_all(counted, common) / max(every, 1)
    what = _where_it_is(name, next(word for word in of_class if word != common), binary, common)
    if unknown * of_rare >= lacking:
        return f"{_more(lacking, 'test image')} {what}", f"the list is in {TO_LABEL_TEST}"
    share = known / every if known else 1 / 6
    listed = f", besides those in {TO_LABEL_TEST}" if unknown else ""
    return f"{_more(lacking / share)} {what}", f"they must be new images{listed}"


def _to_learn(name: str, binary: bool, counted: Content, enough: int) -> tuple[str, str]:
    """Labels of the rarer class that training and validation lack."""
    of_class = {word: counted["train"][word] + counted["val"].get(word, 0) for word in counted["train"]}
    common = max(of_class, key=lambda word: of_class[word])
    lacking = max(enough - (sum(of_class.values()) - of_class[common]), 1)
    what = _where_it_is(name, next(word for word in of_class if word != common), binary, common)
    return f"{_more(lacking)} {what}", _any_unlabelled(counted)


def _to_answer(
    name: str, binary: bool, counted: Content, automation: Automation | None, listed: Content
) -> tuple[str, str]:
    """Labels that validation lacks before answers can be promised, spread over all parts as labels are now."""
    every = sum(sum(counted[part].values()) for part in ("train", "val", "test"))
    share = sum(counted["val"].values()) / max(every, 1) or 1 / 6
    lacking = automation.lacking if automation else ()
    numbers = [math.ceil(n / share) for n in lacking]
    words = tuple(counted["train"])
    if not any(numbers):
        wanted = ""
    elif binary:
        sides = zip(numbers, words, strict=True)
        wanted = " and ".join(f"{_more(n)} where it is {word}" for n, word in sides if n)
    else:
        rare = ", ".join(sorted(words, key=lambda word: _in_all(counted, word))[:MOST_RARE])
        wanted = f"{_more(numbers[0])}, those of {rare} first"
    if not listed.get("cells"):
        return wanted, _any_unlabelled(counted)
    short = [n for n in numbers if n]
    if binary and len(short) == 1:
        likely = listed.get("likeliest", {}).get(words[numbers.index(short[0])], 0)
        if likely < short[0]:
            return wanted, f"{likely:,} likely ones are in {TO_LABEL}, the others must be new images"
    return wanted, f"the list is in {TO_LABEL}"


def _more(number: float, what: str = "image") -> str:
    """A number below ten is exact, and no number is asked for to the last image."""
    whole = math.ceil(number - 1e-9)
    return f"{'about ' if whole >= 10 else ''}{about(whole)} more {what}{'' if whole == 1 else 's'}"


def _any_unlabelled(counted: Content) -> str:
    if counted.get("unknown"):
        return "any image without this label will do"
    return "they must be new images, since all here have this label"


def _where_it_is(name: str, rare: str, binary: bool, common: str) -> str:
    return f"where {name} is {rare}" if binary else f"where {name} is not {common}"


def _in_all(counted: Content, word: str) -> int:
    return sum(counted[part].get(word, 0) for part in ("train", "val", "test"))


def listed_by_use(advice: Mapping[str, Advice], most: int = 6) -> list[tuple[Use, list[str], int]]:
    """The targets of each use that occurs, at most so many, and how many more there are."""
    found = []
    for use in Use:
        names = [name for name, of_target in advice.items() if of_target.use == use]
        if names:
            found.append((use, names[:most], max(len(names) - most, 0)))
    return found
