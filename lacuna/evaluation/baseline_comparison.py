"""The trained network beside simpler models: metrics, paired gains, and the simplest model that it does not beat.

Wherever a target is asked for, None stands for the mean over all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.lines import Line2D

from lacuna.core.scores import Floats
from lacuna.evaluation.comparison import MetricDifference, Replicates, differences
from lacuna.evaluation.intervals import with_interval
from lacuna.io.text_table import align
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten
from lacuna.stats.numbers import decimal, rounded, signed_interval

TRAINED = "trained"
NAMES = {
    "class_shares": "class shares",
    "nearest_neighbours": "nearest neighbours",
    "linear_probe": "linear probe",
    "small_cnn": "small CNN",
    TRAINED: "trained model",
}
"""The models from the simplest to the trained network, and what people call them."""

SIMPLER = [name for name in NAMES if name != TRAINED]

DECISIVE = "roc_auc"
"""The metric by which a model is beaten: it needs no threshold, and without signal it is .5 in samples of any size.
Average precision is not: with few images a random order often has more than the members' share."""

TABLE_METRICS = (DECISIVE, "average_precision", "f1", "log_loss")

NOT_BEATEN = "does not beat"
"""How the verdict on a target begins that a simpler model serves as well."""

MARKS = {"class_shares": "|", "nearest_neighbours": "^", "linear_probe": "s", "small_cnn": "D", TRAINED: "o"}


@dataclass(frozen=True)
class ComparedModel:
    """Its metrics in the same replicates as all others', and how many numbers it learned or stores."""

    replicates: Replicates
    parameters: int


def gains_over(models: Mapping[str, ComparedModel], confidence: float) -> dict[str, list[MetricDifference]]:
    """What the trained network has more than each simpler model, with paired intervals."""
    trained = models[TRAINED].replicates
    return {
        name: differences(model.replicates, trained, confidence, TABLE_METRICS)
        for name, model in models.items()
        if name != TRAINED
    }


def simplest_unbeaten(gains: Mapping[str, Sequence[MetricDifference]], target: str | None) -> str | None:
    """The simplest model that the network does not beat on a target: the interval of the gain is not all above 0.

    "" when it beats them all, None when the metric is undefined.
    """
    decisive = {
        name: gain
        for name, of_model in gains.items()
        for gain in of_model
        if gain.target == target and gain.metric == DECISIVE
    }
    if not decisive:
        return None
    return next((name for name, gain in decisive.items() if gain.low <= 0), "")


def summarise_baselines(
    models: Mapping[str, ComparedModel], gains: Mapping[str, Sequence[MetricDifference]], confidence: float
) -> dict[str, Any]:
    """The content of metrics/baseline.json: in each block `macro` and, by target, `targets`. What is undefined is left
    out."""
    verdicts: dict[str, Any] = {"targets": {}}
    content: dict[str, Any] = {"models": {}, "gains": {}, "verdicts": verdicts}
    for name, model in models.items():
        replicates = model.replicates
        content["models"][name] = {
            "parameters": model.parameters,
            "macro": _with_intervals(replicates.macro, confidence),
            "targets": {target: _with_intervals(metrics, confidence) for target, metrics in replicates.targets.items()},
        }
    for name, of_model in gains.items():
        block: dict[str, Any] = {"macro": {}, "targets": {}}
        for gain in of_model:
            place = block["macro"] if gain.target is None else block["targets"].setdefault(gain.target, {})
            ends = {"": gain.b - gain.a, "_low": gain.low, "_high": gain.high}
            place.update({f"{gain.metric}{end}": rounded(value) for end, value in ends.items()})
        content["gains"][name] = block
    for target in (*models[TRAINED].replicates.targets, None):
        unbeaten = simplest_unbeaten(gains, target)
        if unbeaten is None:
            continue
        verdict = f"{NOT_BEATEN} {NAMES[unbeaten]}" if unbeaten else "beats every simpler model"
        if target is None:
            verdicts["macro"] = verdict
        else:
            verdicts["targets"][target] = verdict
    return content


def baseline_table(content: Mapping[str, Any], seconds: Mapping[str, float], ms: Mapping[str, float]) -> str:
    """A row per model: macro metrics with intervals, size, training time, milliseconds per image where known."""
    rows: list[tuple[str, ...]] = [
        ("model", "ROC-AUC", "avg. prec.", "F1", "log loss", "parameters", "training", "per image")
    ]
    for name, model in content["models"].items():
        cells = [decimal(model["macro"], metric, 3) for metric in TABLE_METRICS]
        trained = f"{seconds[name]:.0f} s" if name in seconds else ""
        rows.append(
            (NAMES[name], *cells, f"{model['parameters']:,}", trained, f"{ms[name]:.1f} ms" if name in ms else "")
        )
    return align(rows)


def describe_gains(content: Mapping[str, Any]) -> list[str]:
    """In sentences: over all targets, then each target that a simpler model serves as well."""
    lines = []
    for name, gains in content["gains"].items():
        if DECISIVE in gains["macro"]:
            gain, low, high = (gains["macro"][DECISIVE + end] for end in ("", "_low", "_high"))
            beats = "beats" if low > 0 else NOT_BEATEN
            lines.append(
                f"over all targets the trained model {beats} {NAMES[name]}: ROC-AUC {gain:+.3f} "
                f"{signed_interval(low, high)}"
            )
    verdicts = content["verdicts"]["targets"]
    unbeaten = [
        f"{name}: the trained model {verdict}" for name, verdict in verdicts.items() if verdict.startswith(NOT_BEATEN)
    ]
    return lines + (unbeaten or ["on every target the trained model beats every simpler one"] * bool(verdicts))


def plot_baselines(path: Path, content: Mapping[str, Any]) -> None:
    """ROC-AUC of all models by target, and what the trained one gains over the best simpler one."""
    targets, verdicts = content["models"][TRAINED]["targets"], content["verdicts"]
    rows: list[str | None] = [name for name in targets if name in verdicts["targets"]]
    if len(targets) > 1 and "macro" in verdicts:
        rows.append(None)
    with picture(path, 8, 1.7 + 0.45 * len(rows)) as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        for row, target in enumerate(reversed(rows)):
            for axes in (left, right):
                axes.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
            scores = {model: _of(content["models"][model], target).get(DECISIVE) for model in content["models"]}
            for model, score in scores.items():
                if score is not None:
                    _mark(left, score, row, model)
            simpler = {model: score for model, score in scores.items() if model != TRAINED and score is not None}
            best = max(simpler, key=lambda model: simpler[model])
            gains = _of(content["gains"][best], target)
            ends = gains[f"{DECISIVE}_low"], gains[f"{DECISIVE}_high"]
            right.plot(ends, [row] * 2, color=BLUE, linewidth=1.6)
            right.plot(gains[DECISIVE], row, "o", color=BLUE, markersize=6)
            right.annotate(
                NAMES[best], (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=GREY
            )
        labels = ["all targets" if target is None else shorten(target) for target in reversed(rows)]
        left.set_yticks(range(len(rows)), labels, color=DARK)
        left.set(title="ROC-AUC (0.5: chance)", xlim=(0.38, 1.02), ylim=(-0.6, len(rows) - 0.4))
        right.set(title="gain over the best simpler model")
        right.locator_params(axis="x", nbins=5)
        right.axvline(0, color=GREY, linewidth=1, linestyle=":")
        for axes in (left, right):
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        legend(
            figure, *(Line2D([], [], linestyle="", label=NAMES[model], **_look(model)) for model in content["models"])
        )


def _mark(axes: Any, score: float, row: int, model: str) -> None:
    axes.plot(score, row, linestyle="", zorder=3 if model == TRAINED else 2, **_look(model))


def _look(model: str) -> dict[str, Any]:
    face = BLUE if model == TRAINED else "white"
    colour = {TRAINED: BLUE, "class_shares": ORANGE}.get(model, GREY)
    return {
        "marker": MARKS[model],
        "color": colour,
        "markerfacecolor": face,
        "markersize": 11 if model == "class_shares" else 6,
        "markeredgewidth": 2.5 if model == "class_shares" else 1.2,
    }


def _of(block: Mapping[str, Any], target: str | None) -> Mapping[str, float]:
    found: Mapping[str, float] = block["macro"] if target is None else block["targets"].get(target, {})
    return found


def _with_intervals(metrics: Mapping[str, Floats], confidence: float) -> dict[str, float]:
    """As the metrics files have them; a metric without an interval is left out."""
    found: dict[str, float] = {}
    for name, values in metrics.items():
        ends = with_interval(name, values, confidence)
        if f"{name}_low" in ends:
            found |= ends
    return found
