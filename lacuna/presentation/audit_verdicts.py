"""The words that the audit of the labels decides between: written by stage `audit`, read by the report and the card."""

from enum import StrEnum


class SignalVerdict(StrEnum):
    """What a probe can tell of a labelling."""

    LEARNABLE = "learnable"
    WEAK = "weak"
    NO_SIGNAL = "no signal"
    TOO_FEW = "too few of the rarer class"


class MissingVerdict(StrEnum):
    """Whether the image tells that a label is unknown."""

    DEPENDS = "depends on the image"
    NO_DEPENDENCE = "no dependence shown"
    NONE_MISSING = "none missing"
    TOO_FEW = "too few to tell"


class MetadataVerdict(StrEnum):
    """Whether the properties of the image file tell the label: where it comes from (confounded), or only how large the
    file or how light the picture is (foretold)."""

    CONFOUNDED = "confounded"
    FORETOLD = "foretold"
    NOTHING_SHOWN = "nothing shown"
    TOO_FEW = "too few of the rarer class"


class CurveVerdict(StrEnum):
    """Whether more labels would help, by what doubling them has just brought."""

    RISING = "rising"
    LEVEL = "level"
    NOT_TOLD = "not told"
