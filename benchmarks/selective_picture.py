"""The picture of docs/reading-the-result.md: how the share among all images follows from the unlabelled ones' scores.

python -m benchmarks selective_picture
"""

from pathlib import Path

import numpy as np

from benchmarks.selective import BOOTSTRAP, simulate
from benchmarks.verdicts import TARGETS
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.population import prevalence_metrics
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.load import load_params
from lacuna.presentation.style import BLUE, GREY, LIGHT, ORANGE, picture

PICTURE = Path("docs/selective.png")
IMAGES, MECHANISM, SEED = 2000, ".7 / .2", 1
TARGET = TARGETS.names.index("some")


def selective_picture() -> None:
    """Draw one target of `benchmarks.selective`, which is present in 30 % of the images."""
    params = load_params(Path("params.yaml"))
    settings = params.evaluate.model_copy(update={"bootstrap": BOOTSTRAP, "population": "all"})
    part, _ = simulate(IMAGES, MECHANISM, SEED)
    found = estimate_population(cross_fit(TARGETS, part, params.calibrate), settings).prevalences[TARGET]
    told = prevalence_metrics(TARGETS[TARGET], found.priors, settings.confidence)
    scores, labels = part.logits[:, TARGETS.slices[TARGET]][:, 0], part.labels[:, TARGET]
    edges = np.linspace(scores.min(), scores.max(), 21)
    present, absent, unlabelled = (np.histogram(scores[labels == label], edges)[0] for label in (1, 0, -1))
    share = found.priors.unlabelled[0]
    mixture = unlabelled.sum() * (share[0] * absent / absent.sum() + share[1] * present / present.sum())
    importance = found.priors.importance()[0] * IMAGES / (present.sum() + absent.sum())
    with picture(PICTURE, 9.6, 3.4) as figure:
        panels = figure.subplots(1, 3, sharex=True)
        middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        for axes, factor in ((panels[0], np.ones(2)), (panels[2], importance)):
            axes.bar(middle, factor[0] * absent, 0.9 * width, color=BLUE, label="absent")
            axes.bar(middle, factor[1] * present, 0.9 * width, bottom=factor[0] * absent, color=ORANGE, label="present")
        panels[1].bar(middle, unlabelled, 0.9 * width, color=LIGHT, label="unlabelled")
        panels[1].step(middle, mixture, where="mid", color=GREY, label="mixture of the labelled")
        ends = f"[{100 * told['prevalence_low']:.0f}-{100 * told['prevalence_high']:.0f}]"
        for axes, title in zip(
            panels,
            (
                f"labelled images: {told['prevalence_known']:.0%} present",
                f"unlabelled images: {share[1]:.0%} present",
                f"all images: {told['prevalence_all']:.0%} {ends} present",
            ),
            strict=True,
        ):
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("score of the network")
            axes.margins(y=0.3)
            axes.legend(frameon=False, fontsize=8, loc="upper right")
        panels[0].set_ylabel("images")
