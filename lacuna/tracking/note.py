"""What MLflow's pages say of a run and of the experiment by themselves: their descriptions, in Markdown."""

from collections.abc import Mapping
from typing import Any

from lacuna.stats.numbers import decimal, percent

NOTE_TAG = "mlflow.note.content"
"""The tag that MLflow shows as the description."""

ABOUT_RUNS = (
    "Runs of one pipeline, under *Training runs*: each has its verdicts in its description, a child for each training "
    "phase, and the whole report in its artifacts, `plots/report.html`."
)
"""Of an experiment, whose page MLflow opens on traces of chats, which Lacuna has none of."""


def describe_result(test: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """A row for each target: its verdict, and its figures beside a guess and simpler models.

    test, baseline: the contents of the metrics files of these names. What is undefined is "-".
    """
    simpler = baseline.get("verdicts", {}).get("targets", {})
    rows = [
        "| target | verdict | F1 | F1 of a guess | ROC-AUC | beside simpler models |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in test["targets"].items():
        figures = (percent(found, "f1"), percent(found, "baseline_f1"), decimal(found, "roc_auc"))
        cells = (name, found["verdict"], *figures, simpler.get(name, "-"))
        rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(
        [
            "On test images, which took no part in training; F1 in percent, 95 times of 100 in the range in brackets. "
            "Simpler models are compared on validation images. The whole report: `plots/report.html` in the artifacts.",
            "",
            *rows,
        ]
    )
