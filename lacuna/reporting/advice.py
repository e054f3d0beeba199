"""What a person should do next about one target: one word and one sentence, from what the stages found.

The whole rule is `advise`; docs/report.md has it as a table, and a test each of its rows.
"""

from dataclasses import dataclass
from enum import StrEnum

from lacuna.evaluation.verdicts import LEARNED, TOO_FEW
from lacuna.io.plurals import number_of
from lacuna.presentation.audit_verdicts import CurveVerdict, SignalVerdict

ISSUES = "data/audit/label_issues.csv"

MOSTLY_RIGHT = 0.5
"""A model that is right less often than this makes more work by its suggestions than it saves: it can sort images."""


MUCH = 0.2
"""A share of the images from which on answering by itself saves enough work to call a target usable."""


class Use(StrEnum):
    """What a target can be used for, from the best to the worst."""

    YES = "yes"
    PARTLY = "partly"
    SUGGESTIONS = "as suggestions"
    CARE = "with care"
    NOT_YET = "not yet"
    NO = "no"


@dataclass(frozen=True)
class Advice:
    """Whether to use a target, and the sentence that says what to do."""

    use: Use
    sentence: str


@dataclass(frozen=True)
class Automation:
    """What a target may answer by itself: of the test images the `share` answered and, of the known ones among these,
    how many were `right`.

    answers: for a binary target whether it may answer absent and present, for a categorical one whether it may answer
    at all. lacking: for the same, how many more labelled groups of validation it would take, as `selective.Promise`.
    """

    share: float
    answered: int
    right: int
    answers: tuple[bool, ...]
    lacking: tuple[int, ...]


@dataclass(frozen=True)
class TargetFacts:
    """What the rule looks at.

    classes: of a binary target absent and present. verdict: of its metrics on test. signal: the audit's verdict on its
    labels. curve: the audit's on whether more labels would help, "" where there is none. confounded: by which
    properties of the files, "" if by none. only_labelled: its labels are missing for a reason, and its figures are of
    labelled images only. right: how often a decision is right on test, 0 to 1: of a binary target precision, of a
    categorical one accuracy. automation: None where it was not counted. wanted: which labels are lacking, as "about 60
    more images where it is striped", "" where none are. where: where to find them. issues: labels that look wrong.
    """

    name: str
    classes: tuple[str, ...]
    binary: bool
    verdict: str
    signal: str
    curve: str
    confounded: str
    only_labelled: bool
    right: float
    automation: Automation | None
    wanted: str
    where: str
    issues: int


def advise(facts: TargetFacts) -> Advice:
    """The first case that fits decides."""
    name, automation = facts.name, facts.automation
    if TOO_FEW in (facts.verdict, facts.signal):
        return Advice(Use.NOT_YET, f"Label {facts.wanted}: there are too few to judge {name} by; {facts.where}.")
    if facts.verdict != LEARNED and facts.signal == SignalVerdict.NO_SIGNAL:
        return Advice(
            Use.NO,
            f"The labels of {name} do not follow from the images: look at twenty of them, and if you cannot tell "
            "either, leave it out.",
        )
    if facts.verdict != LEARNED:
        return Advice(Use.NOT_YET, _not_learned(facts))
    if facts.confounded:
        return Advice(
            Use.CARE,
            f"Do not rely on {name} yet: the files alone ({facts.confounded}) give the answer away, so get images of "
            "every class from the same source and in the same format.",
        )
    if facts.only_labelled:
        return Advice(
            Use.CARE,
            f"Use it for {name} only on images like the labelled ones: which images have a label is no accident, so "
            "label some drawn at random.",
        )
    if automation and all(automation.answers) and automation.share >= MUCH:
        return Advice(Use.YES, f"Use it for {name}: it labels {_by_itself(automation)}; check or label the others.")
    if automation and all(automation.answers) and automation.share:
        return Advice(
            Use.PARTLY, f"Use it for the clear cases of {name}: it labels {_by_itself(automation)}; label the others."
        )
    if automation and automation.share:
        absent, present = facts.classes
        if automation.answers[0]:
            purpose, said = "rule out", absent
            others = f"confirm the others, where its “{present}” is {_right(facts)}"
        else:
            purpose, said, others = "find", present, "check the others"
        return Advice(
            Use.PARTLY,
            f"Use it to {purpose} {name}: it says “{said}” by itself for {_by_itself(automation)}; {others}.",
        )
    return Advice(Use.SUGGESTIONS, _suggestions(facts))


def _by_itself(automation: Automation) -> str:
    return f"{automation.share:.0%} of the images ({automation.right} of {automation.answered} on test were right)"


def _right(facts: TargetFacts) -> str:
    return f"right {round(100 * facts.right)} times of 100"


def _not_learned(facts: TargetFacts) -> str:
    """There is something in the labels, but what was decided on test is not shown to be worth more than a guess."""
    if facts.curve != CurveVerdict.LEVEL:
        return f"Label more images for {facts.name}, its decisions are no better than a guess yet: {facts.where}."
    if facts.issues:
        wrong = f"{number_of(facts.issues, 'looks', 'look')} wrong, listed in {ISSUES}"
        return f"Check the labels of {facts.name} before you add any: {wrong}."
    return f"Do not use it for {facts.name}: its decisions are no better than a guess, and more labels hardly help."


def _suggestions(facts: TargetFacts) -> str:
    """Learned, but nothing may be answered by itself."""
    if facts.right >= MOSTLY_RIGHT:
        use = f"Use it for {facts.name} as a suggestion that you confirm ({_right(facts)})"
    else:
        use = f"Use it for {facts.name} only to sort images, the likeliest first ({_right(facts)})"
    if facts.automation is None:
        return f"{use}."
    if facts.wanted:
        return f"{use}, and label {facts.wanted} so that it can answer by itself: {facts.where}."
    if facts.issues:
        wrong = number_of(facts.issues, "label that looks", "labels that look")
        return f"{use}, and check the {wrong} wrong: the list is in {ISSUES}."
    if facts.curve in (CurveVerdict.RISING, CurveVerdict.NOT_TOLD):
        return f"{use}, and label more images, which still makes it better: {facts.where}."
    return f"{use}: even its surest answers are wrong too often."
