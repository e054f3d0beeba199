"""A training that failed, told from labels that hold nothing."""

from lacuna.presentation.audit_verdicts import SignalVerdict
from lacuna.reporting.target_facts import Content


def not_trained(audit: Content, baseline: Content) -> list[str]:
    """The targets whose labels the audit finds learnable while the trained model is no better than class shares.

    That is no finding about the labels: a model that learned nothing must not pass as one. By ROC-AUC and log loss on
    validation, both without a look at their intervals: with few images a model that did learn may fail to show it.
    """
    trained, shares = (baseline["models"][name]["targets"] for name in ("trained", "class_shares"))
    found = []
    for name, audited in audit["targets"].items():
        if audited["verdict"] != SignalVerdict.LEARNABLE or "roc_auc" not in trained.get(name, {}):
            continue
        of_model, of_shares = trained[name], shares[name]
        if of_model["roc_auc"] <= of_shares["roc_auc"] and of_model["log_loss"] >= of_shares["log_loss"]:
            found.append(name)
    return found
