"""The rule that picks a target's sentence: each of its cases, and which of two that fit comes first."""

from dataclasses import replace

import pytest

from lacuna.evaluation.verdicts import LEARNED, NO_SIGNAL, SIGNAL_ONLY, TOO_FEW
from lacuna.presentation.audit_verdicts import CurveVerdict, SignalVerdict
from lacuna.reporting.advice import Automation, TargetFacts, Use, advise

NOTHING = Automation(0.0, 0, 0, (False, False), (0, 0))
STRIPED = TargetFacts(
    name="striped",
    classes=("absent", "present"),
    binary=True,
    verdict=LEARNED,
    signal=SignalVerdict.LEARNABLE,
    curve=CurveVerdict.LEVEL,
    confounded="",
    only_labelled=False,
    right=0.58,
    automation=NOTHING,
    wanted="",
    where="the list is in data/audit/to_label.csv",
    issues=0,
)
BOTH = Automation(0.62, 80, 78, (True, True), (0, 0))
ABSENT = Automation(0.86, 140, 139, (True, False), (0, 46))
PRESENT = Automation(0.1, 12, 12, (False, True), (30, 0))
LACKING = {"wanted": "about 60 more images where it is present"}

CASES = {
    "too few to judge": (
        {"verdict": TOO_FEW, "wanted": "about 60 more images where striped is present"},
        Use.NOT_YET,
        "Label about 60 more images where striped is present: there are too few to judge striped by; the list is in "
        "data/audit/to_label.csv.",
    ),
    "too few to learn from": (
        {"verdict": NO_SIGNAL, "signal": SignalVerdict.TOO_FEW, "wanted": "about 8 more images"},
        Use.NOT_YET,
        "Label about 8 more images: there are",
    ),
    "no signal": (
        {"verdict": NO_SIGNAL, "signal": SignalVerdict.NO_SIGNAL},
        Use.NO,
        "The labels of striped do not follow from the images: look at twenty of them",
    ),
    "learnable, no signal on test, more labels help": (
        {"verdict": NO_SIGNAL, "curve": CurveVerdict.RISING},
        Use.NOT_YET,
        "Label more images for striped, its decisions are no better than a guess yet: the list is in",
    ),
    "learnable, order alone, whether more labels help is not told": (
        {"verdict": SIGNAL_ONLY, "curve": CurveVerdict.NOT_TOLD, "issues": 9},
        Use.NOT_YET,
        "Label more images for striped",
    ),
    "order alone, more labels do not help, some look wrong": (
        {"verdict": SIGNAL_ONLY, "issues": 1234},
        Use.NOT_YET,
        "Check the labels of striped before you add any: 1,234 look wrong, listed in data/audit/label_issues.csv.",
    ),
    "order alone, nothing would help": (
        {"verdict": SIGNAL_ONLY},
        Use.NOT_YET,
        "Do not use it for striped: its decisions are no better than a guess, and more labels hardly help.",
    ),
    "the file gives it away": (
        {"confounded": "format, width", "automation": BOTH},
        Use.CARE,
        "Do not rely on striped yet: the files alone (format, width) give the answer away, so get images",
    ),
    "labelled for a reason": (
        {"only_labelled": True, "automation": BOTH},
        Use.CARE,
        "Use it for striped only on images like the labelled ones",
    ),
    "answers by itself": (
        {"automation": BOTH},
        Use.YES,
        "Use it for striped: it labels 62% of the images (78 of 80 on test were right); check or label the others.",
    ),
    "answers little by itself": (
        {"automation": replace(BOTH, share=0.04)},
        Use.PARTLY,
        "Use it for the clear cases of striped: it labels 4% of the images",
    ),
    "answers absent alone": (
        {"automation": ABSENT, **LACKING},
        Use.PARTLY,
        "Use it to rule out striped: it says “absent” by itself for 86% of the images (139 of 140 on test were right); "
        "confirm the others, where its “present” is right 58 times of 100.",
    ),
    "answers present alone": (
        {"automation": PRESENT},
        Use.PARTLY,
        "Use it to find striped: it says “present” by itself for 10% of the images (12 of 12 on test were right);",
    ),
    "answers nothing, labels are lacking": (
        LACKING,
        Use.SUGGESTIONS,
        "Use it for striped as a suggestion that you confirm (right 58 times of 100), and label about 60 more images "
        "where it is present so that it can answer by itself: the list is in data/audit/to_label.csv.",
    ),
    "answers nothing, labels look wrong": (
        {"issues": 30},
        Use.SUGGESTIONS,
        "Use it for striped as a suggestion that you confirm (right 58 times of 100), and check the 30 labels",
    ),
    "answers nothing, more labels help": (
        {"curve": CurveVerdict.RISING},
        Use.SUGGESTIONS,
        "Use it for striped as a suggestion that you confirm (right 58 times of 100), and label more images",
    ),
    "answers nothing, nothing would help": (
        {},
        Use.SUGGESTIONS,
        "Use it for striped as a suggestion that you confirm (right 58 times of 100): even its surest answers are",
    ),
    "more often wrong than right": (
        {"right": 0.31, **LACKING},
        Use.SUGGESTIONS,
        "Use it for striped only to sort images, the likeliest first (right 31 times of 100), and label about 60",
    ),
    "not counted": (
        {"automation": None, "issues": 30},
        Use.SUGGESTIONS,
        "Use it for striped as a suggestion that you confirm (right 58 times of 100).",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_word_and_its_sentence(case):
    changed, use, beginning = CASES[case]
    advice = advise(replace(STRIPED, **changed))
    assert advice.use == use
    assert advice.sentence.startswith(beginning)
    assert advice.sentence.endswith(".")
    assert advice.sentence.count(". ") == 0  # one sentence


def test_a_categorical_target_has_one_side():
    answers = Automation(0.5, 60, 59, (True,), (0,))
    kind = replace(STRIPED, name="kind", classes=("hat", "shoe", "bag"), binary=False, automation=answers)
    assert advise(kind).use == Use.YES
    assert advise(replace(kind, automation=Automation(0.0, 0, 0, (False,), (45,)))).use == Use.SUGGESTIONS
