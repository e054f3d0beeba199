"""What the stages would have found for some targets: contents of the metrics files, made up."""

from typing import Any

from lacuna.core.targets import Targets


def found_metrics(targets: Targets) -> dict[str, Any]:
    """By the name of the file in metrics/. Every target is learned, with F1 .8 [.7, .9] on 40 test images."""
    figures = {
        f"{name}{end}": value
        for name in ("precision", "recall", "f1", "average_precision", "roc_auc")
        for end, value in (("", 0.8), ("_low", 0.7), ("_high", 0.9))
    }
    scored = {
        target.name: {
            "kind": target.kind,
            "n_known": 40,
            "n_unknown": 27,
            "selection": "no selection shown",
            "population": "all",
            **figures,
            "baseline_f1": 0.3,
            "verdict": "learned",
        }
        for target in targets
    }
    labels = {
        target.name: {
            "known": 120,
            "unknown": 80,
            "known_share": 0.6,
            **{part: dict.fromkeys(target.classes, 40 // target.n_classes) for part in ("train", "val", "test")},
        }
        for target in targets
    }
    audited = {"verdict": "learnable", "metadata": {"verdict": "nothing shown"}, "missing": {"verdict": "none missing"}}
    explained = {"faithfulness": {"shown": True}, "worse_slices": {}}
    return {
        "prepare": {"images": 200, "groups": 180, "targets": labels},
        "training": {"kept": "head", "log_loss": {"head": 0.3}, "gain": {}},
        "audit": {"targets": {target.name: dict(audited) for target in targets}},
        "baseline": {
            "models": {
                "class_shares": {
                    "parameters": 2,
                    "macro": figures,
                    "targets": {target.name: {"roc_auc": 0.5, "log_loss": 0.7} for target in targets},
                },
                "trained": {
                    "parameters": 7,
                    "macro": figures,
                    "targets": {target.name: {"roc_auc": 0.9, "log_loss": 0.3} for target in targets},
                },
            },
            "gains": {},
            "verdicts": {"targets": {target.name: "beats every simpler model" for target in targets}},
        },
        "explain": {"targets": {target.name: dict(explained) for target in targets}},
        "validation": {"macro": {"f1": 0.7}, "targets": scored},
        "test": {"macro": {"f1": 0.8}, "targets": scored},
    }
