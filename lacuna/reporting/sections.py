"""The sections of the report, in the order of the work, from what the stages wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lacuna.config.params import Params
from lacuna.evaluation.baseline_comparison import DECISIVE, NAMES, TABLE_METRICS, describe_gains
from lacuna.reporting.page import PageTable, Section
from lacuna.reporting.pictures import SectionPictures
from lacuna.reporting.target_facts import Content
from lacuna.stats.numbers import decimal, percent


@dataclass(frozen=True)
class ReportContent:
    """What the metrics files say, by the name of the stage; `validation` and `test` are those of evaluate.

    `pictures`: by the name of a section, as in `pictures.REPORT_PICTURES`.
    """

    prepare: Content
    explore: Content
    audit: Content
    baseline: Content
    explain: Content
    validation: Content
    test: Content
    bundle: Content
    pictures: Mapping[str, SectionPictures]

    @property
    def targets(self) -> list[str]:
        return list(self.test["targets"])


def training_section(found: ReportContent, notes: Sequence[str]) -> Section:
    return Section(
        "How training went",
        "For those who set it up: the head is learned first, then the upper layers, which are kept if they help.",
        notes or ["neither over- nor underfitting shows in the curves"],
        pictures=found.pictures["training"],
    )


def result_section(found: ReportContent) -> Section:
    figures = [
        (
            name,
            f"{metrics['n_known']:,}",
            *(percent(metrics, metric) for metric in ("precision", "recall", "f1", "baseline_f1")),
            metrics["verdict"],
        )
        for name, metrics in found.test["targets"].items()
    ]
    models = [
        (NAMES[name], *(decimal(model["macro"], metric) for metric in TABLE_METRICS), f"{model['parameters']:,}")
        for name, model in found.baseline["models"].items()
    ]
    header = ("label", "test images", "precision", "recall", "F1", "F1 of a guess", "verdict")
    return Section(
        "How good it is",
        "First beside simpler models, with which it is compared on validation images; then in figures, on test images "
        "that took no part in training.",
        describe_gains(found.baseline),
        [
            PageTable(header, figures, "On the test images whose label is known, in percent."),
            PageTable(
                ("model", "ROC-AUC", "average precision", "F1", "log loss", "numbers learned"),
                models,
                f"On validation images, means over all labels. {DECISIVE.replace('_', '-').upper()} decides what is "
                "beaten.",
            ),
            WORDS,
        ],
        pictures=found.pictures["result"],
    )


WORDS = PageTable(
    ("word", "what it means"),
    [
        ("precision", "Of 100 images that it calls present, so many are."),
        ("recall", "Of 100 images that are present, so many are found."),
        ("F1", "Precision and recall in one number; it is low when either is."),
        ("F1 of a guess", "What the best answer reaches that is given without a look at the image."),
        ("[70-90]", "Other images of the same kind would have given a number in this range, 95 times of 100."),
        ("learned", "It is better than that guess, and the range of the difference says that this is no luck."),
        ("ROC-AUC", "How often it puts an image that is present before one that is not. 0.5 is what chance gives."),
        ("average precision", "How pure the front is when images are sorted by how sure it is. 1 is best."),
        ("log loss", "How wrong its stated probabilities are. 0 is best."),
        ("simpler models", "They learned from the same labels. Where one is not beaten, it would do as well."),
    ],
    "The words, once.",
)


def failures_section(found: ReportContent, mistakes: Sequence[str]) -> Section:
    rows = []
    for name, explained in found.explain["targets"].items():
        for where, worse in explained.get("worse_slices", {}).items():
            cells = (f"{worse[key]:.0%}" for key in ("accuracy", "rest"))
            rows.append((name, where, str(worse["images"]), *cells))
    tables = [PageTable(("target", "images", "how many", "right", "right elsewhere"), rows)] if rows else []
    pictures = found.pictures["failures"]
    said = list(mistakes) + ([] if rows else ["no kind of images is shown to be worse than the rest"])
    return Section(
        "Where it fails",
        "On validation images: the commonest mistakes by name, and kinds of images on which it is worse.",
        said,
        tables,
        pictures=pictures if rows else replace(pictures, open=()),  # without such kinds the sentence says all
    )


def attention_section(found: ReportContent) -> Section:
    targets = found.explain["targets"]
    if found.explain["maps"] == "none":
        said = ["no heat maps: the features are of no map with more than one place"]
        return Section("What it looks at", "The images themselves.", said, pictures=found.pictures["attention"])
    shown = [name for name, explained in targets.items() if explained.get("faithfulness", {}).get("shown")]
    others = [name for name in targets if name not in shown]
    said = [f"the maps are shown to hold for {', '.join(shown) or 'no label'}: where they are hot is what counts"]
    if others:
        said.append(f"not for {', '.join(others)}: don't read anything into these")
    said += [line for line in map(_on_padding, targets, targets.values()) if line]
    return Section(
        "What it looks at",
        "Orange speaks for the decision. A model may be right for a reason that will not hold elsewhere.",
        said,
        pictures=found.pictures["attention"],
    )


def _on_padding(name: str, explained: Content) -> str:
    checked = explained.get("faithfulness", {})
    if "padding_heat" not in checked:
        return ""
    return (
        f"{name}: {checked['padding_heat']:.0%} of the heat lies on the padding that makes images square "
        f"({checked['padding_area']:.0%} of the area), which is left grey in the pictures"
        + ("; it may go by the shape of the image" if checked["padding_heat"] > checked["padding_area"] else "")
    )


def again_section(found: ReportContent, params: Params) -> Section:
    """How to make the same model: versions, digests of the data, parameters."""
    values = params.model_dump(mode="json", exclude={"execution"})  # where it ran shapes nothing
    listed = "\n".join(f"{block}.{key}: {value}" for block, keys in values.items() for key, value in keys.items())
    versions = [(name, version) for name, version in found.bundle["origin"]["versions"].items()]
    digests = [(name, value) for name, value in found.bundle["origin"].items() if name.endswith("_sha256")]
    return Section(
        "How to make it again",
        "In a clone of its repository, with this file: the first commit whose dvc.lock has the page, and DVC does the "
        "rest.",
        tables=[PageTable(("library", "version"), versions), PageTable(("what", "SHA-256"), digests), STAGES],
        commands=[AGAIN, listed],
    )


AGAIN = """\
PAGE=$(md5sum < report.html | cut -c1-32)
git checkout $(git log --all --reverse --format=%h -S $PAGE -- dvc.lock | head -1)
dvc pull
dvc repro"""
"""Names no commit: the page is made before it is committed, and the same page must come out of every run."""

STAGES = PageTable(
    ("CRISP-DM", "OSEMN", "stages"),
    [
        ("business understanding", "", "params.yaml: targets, decision rules, costs"),
        ("data understanding", "obtain, explore", "ingest, explore, audit"),
        ("data preparation", "scrub", "prepare, featurize"),
        ("modelling", "model", "train_warmup, train_finetune, train_baselines, calibrate"),
        ("evaluation", "interpret", "evaluate, baseline, explain, report"),
        ("deployment", "", "export, bundle, track"),
    ],
    "The stages in the words of two process models.",
)
