"""The table of labels to add: one sentence for each target, which does not say two things at once."""

from dataclasses import replace

import pytest

from lacuna.evaluation.verdicts import LEARNED, TOO_FEW
from lacuna.presentation.audit_verdicts import CurveVerdict
from lacuna.reporting.advice import TargetFacts
from lacuna.reporting.label_sections import work_section
from lacuna.reporting.pictures import SectionPictures
from lacuna.reporting.sections import ReportContent

FACTS = TargetFacts(
    name="red",
    classes=("absent", "present"),
    binary=True,
    verdict=LEARNED,
    signal="learnable",
    curve="",
    confounded="",
    only_labelled=False,
    right=0.8,
    automation=None,
    wanted="",
    where="the list is in to_label.csv",
    issues=0,
)
WANTED = "about 320 more images where it is present"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "none is lacking"),
        ({"curve": CurveVerdict.LEVEL}, "more labels hardly make it better (0.80 to 0.85)"),
        (
            {"curve": CurveVerdict.NOT_TOLD},
            "whether more labels make it better cannot be told from so few (0.80 to 0.85)",
        ),
        (
            {"wanted": WANTED, "curve": CurveVerdict.LEVEL},
            f"{WANTED}, to show that it may answer by itself: the list is in to_label.csv; beyond that, more labels "
            "hardly make it better (0.80 to 0.85)",
        ),
        (
            {"wanted": WANTED, "curve": CurveVerdict.RISING},
            f"{WANTED}, to show that it may answer by itself: the list is in to_label.csv; more labels make it better "
            "(0.80 to 0.85)",
        ),
        ({"wanted": WANTED, "verdict": TOO_FEW}, f"{WANTED}, to judge it by: the list is in to_label.csv"),
    ],
)
def test_what_more_labels_bring_is_one_sentence(changes, said):
    curve = {"10": {"roc_auc": 0.8}, "100": {"roc_auc": 0.85}}
    audit = {"targets": {"red": {"learning_curve": curve} if "curve" in changes else {}}}
    empty = {name: {} for name in ("prepare", "explore", "baseline", "explain", "validation", "test", "bundle")}
    content = ReportContent(**empty, audit=audit, pictures={"work": SectionPictures()})
    (table,) = work_section(content, {"red": replace(FACTS, **changes)}).tables
    assert table.rows[0][:2] == ("red", said)
