"""A model that learned nothing is told from labels that hold nothing."""

import pytest

from lacuna.presentation.audit_verdicts import SignalVerdict
from lacuna.reporting.usability import not_trained


def found(verdict="learnable", trained=(0.5, 0.7), shares=(0.5, 0.7)):
    audit = {"targets": {"red": {"verdict": verdict}}}
    models = {
        name: {"targets": {"red": {"roc_auc": auc, "log_loss": loss}}}
        for name, (auc, loss) in (("trained", trained), ("class_shares", shares))
    }
    return not_trained(audit, {"models": models})


def test_learnable_labels_and_a_model_like_class_shares_are_named():
    assert found() == ["red"]
    assert found(trained=(0.45, 0.71)) == ["red"]


@pytest.mark.parametrize(
    "case",
    [
        {"trained": (0.6, 0.7)},
        {"trained": (0.5, 0.6)},
        {"verdict": "no signal"},
        {"verdict": SignalVerdict.TOO_FEW},
    ],
)
def test_one_better_metric_or_labels_without_signal_are_enough(case):
    assert found(**case) == []


def test_a_target_without_the_metric_or_that_is_not_learned_is_left_out():
    audit = {"targets": {"red": {"verdict": "learnable"}, "old": {"verdict": "learnable"}}}
    models = {name: {"targets": {"red": {"f1": 0.5}}} for name in ("trained", "class_shares")}
    assert not_trained(audit, {"models": models}) == []
