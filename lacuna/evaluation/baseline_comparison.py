"""The trained network beside simpler models: figures, paired gains, and the simplest model that it does not beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.lines import Line2D

from lacuna.evaluation.comparison import MACRO, Difference, Replicates, differences
from lacuna.io.text_table import align
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten
from lacuna.stats.bootstrap import interval

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
"""The figure by which a model is beaten: it needs no threshold, and without signal it is .5 in samples of any size.
Average precision is not: with few images a random order often has more than the members' share."""

SHOWN = (DECISIVE, "average_precision", "f1", "log_loss")

MARKS = {"class_shares": "|", "nearest_neighbours": "^", "linear_probe": "s", "small_cnn": "D", TRAINED: "o"}


@dataclass(frozen=True)
class Model:
    """Its figures in the same replicates as all others', and how many numbers it learned or stores."""

    replicates: Replicates
    parameters: int


def gains_over(models: Mapping[str, Model], confidence: float) -> dict[str, list[Difference]]:
    """What the trained network has more than each simpler model, with paired intervals."""
    trained = models[TRAINED].replicates
    return {
        name: differences(model.replicates, trained, confidence, SHOWN)
        for name, model in models.items()
        if name != TRAINED
    }


def simplest_unbeaten(gains: Mapping[str, Sequence[Difference]], target: str) -> str | None:
    """The simplest model that the network does not beat on a target or MACRO: the interval is not all above 0.

    "" when it beats them all, None when the figure is undefined.
    """
    found = {name: one for name, all_of in gains.items() for one in all_of if _is(one, target)}
    if not found:
        return None
    return next((name for name, one in found.items() if one.low <= 0), "")


def summarise_baselines(
    models: Mapping[str, Model], gains: Mapping[str, Sequence[Difference]], confidence: float
) -> dict[str, Any]:
    """The content of metrics/baseline.json. What is undefined is left out."""
    content: dict[str, Any] = {"models": {}, "gains": {}, "verdicts": {}}
    for name, model in models.items():
        figures = {target: _figures(of_target, confidence) for target, of_target in model.replicates.items()}
        content["models"][name] = {"parameters": model.parameters, MACRO: figures.pop(MACRO), "targets": figures}
    for name, found in gains.items():
        by_target: dict[str, dict[str, float]] = {}
        for one in found:
            ends = {one.figure: one.b - one.a, f"{one.figure}_low": one.low, f"{one.figure}_high": one.high}
            by_target.setdefault(one.target, {}).update({key: round(value, 6) for key, value in ends.items()})
        content["gains"][name] = {MACRO: by_target.pop(MACRO, {}), "targets": by_target}
    for target in models[TRAINED].replicates:
        unbeaten = simplest_unbeaten(gains, target)
        if unbeaten is not None:
            content["verdicts"][target] = (
                f"does not beat {NAMES[unbeaten]}" if unbeaten else "beats every simpler model"
            )
    return content


def baseline_table(content: Mapping[str, Any], seconds: Mapping[str, float], ms: Mapping[str, float]) -> str:
    """A row per model: macro figures with intervals, size, training time, milliseconds per image where known."""
    rows: list[tuple[str, ...]] = [
        ("model", "ROC-AUC", "avg. prec.", "F1", "log loss", "parameters", "training", "per image")
    ]
    for name, model in content["models"].items():
        cells = [_with_ends(model[MACRO], figure) for figure in SHOWN]
        trained = f"{seconds[name]:.0f} s" if name in seconds else ""
        rows.append(
            (NAMES[name], *cells, f"{model['parameters']:,}", trained, f"{ms[name]:.1f} ms" if name in ms else "")
        )
    return align(rows)


def describe_gains(content: Mapping[str, Any]) -> list[str]:
    """In sentences: over all targets, then each target that a simpler model serves as well."""
    lines = []
    for name, gains in content["gains"].items():
        if DECISIVE in gains[MACRO]:
            gain, low, high = (gains[MACRO][DECISIVE + end] for end in ("", "_low", "_high"))
            beats = "beats" if low > 0 else "does not beat"
            lines.append(
                f"over all targets the trained model {beats} {NAMES[name]}: ROC-AUC {gain:+.3f} "
                f"[{low:+.3f}, {high:+.3f}]"
            )
    verdicts = {name: said for name, said in content["verdicts"].items() if name != MACRO}
    beaten = [f"{name}: the trained model {said}" for name, said in verdicts.items() if said.startswith("does not")]
    return lines + (beaten or ["on every target the trained model beats every simpler one"] * bool(verdicts))


def plot_baselines(path: Path, content: Mapping[str, Any]) -> None:
    """ROC-AUC of all models by target, and what the trained one gains over the best simpler one."""
    targets = content["models"][TRAINED]["targets"]
    names = [name for name in (*targets, *[MACRO] * (len(targets) > 1)) if name in content["verdicts"]]
    with picture(path, 8, 1.7 + 0.45 * len(names)) as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        for row, name in enumerate(reversed(names)):
            for axes in (left, right):
                axes.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
            scores = {model: _of(content["models"][model], name).get(DECISIVE) for model in content["models"]}
            for model, score in scores.items():
                if score is not None:
                    _mark(left, score, row, model)
            simpler = {model: score for model, score in scores.items() if model != TRAINED and score is not None}
            best = max(simpler, key=lambda model: simpler[model])
            gains = _of(content["gains"][best], name)
            ends = gains[f"{DECISIVE}_low"], gains[f"{DECISIVE}_high"]
            right.plot(ends, [row] * 2, color=BLUE, linewidth=1.6)
            right.plot(gains[DECISIVE], row, "o", color=BLUE, markersize=6)
            right.annotate(
                NAMES[best], (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=GREY
            )
        left.set_yticks(range(len(names)), [shorten(_label(name)) for name in reversed(names)], color=DARK)
        left.set(title="ROC-AUC (0.5: chance)", xlim=(0.38, 1.02), ylim=(-0.6, len(names) - 0.4))
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


def _label(name: str) -> str:
    return "all targets" if name == MACRO else name


def _of(content: Mapping[str, Any], target: str) -> Mapping[str, float]:
    found: Mapping[str, float] = content[MACRO] if target == MACRO else content["targets"].get(target, {})
    return found


def _is(one: Difference, target: str) -> bool:
    return one.target == target and one.figure == DECISIVE


def _figures(figures: Mapping[str, Any], confidence: float) -> dict[str, float]:
    result = {}
    for name, values in figures.items():
        ends = interval(values[1:], confidence)
        if ends is not None and values[0] == values[0]:
            kept = {name: float(values[0]), f"{name}_low": ends[0], f"{name}_high": ends[1]}
            result.update({key: round(value, 6) for key, value in kept.items()})
    return result


def _with_ends(figures: Mapping[str, float], name: str) -> str:
    if name not in figures:
        return ""
    return f"{figures[name]:.3f} [{figures[f'{name}_low']:.3f}-{figures[f'{name}_high']:.3f}]"
