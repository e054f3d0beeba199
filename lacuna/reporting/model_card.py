"""The model card, README.md of a bundle: Markdown under the headings that Hugging Face proposes, from what was found.

See https://huggingface.co/docs/hub/model-cards. No license is stated: that is for whoever publishes the model.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath

from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

from lacuna.calibration.selection import describe_selection
from lacuna.config.backbone import KERAS_HUB, ONNX
from lacuna.config.params import Params
from lacuna.config.search_space import TRAINING_BLOCKS
from lacuna.core.head_weights import HEAD_ALONE
from lacuna.evaluation.baseline_comparison import NAMES, TABLE_METRICS, describe_gains
from lacuna.evaluation.verdicts import conclude
from lacuna.presentation.audit_verdicts import MetadataVerdict, SignalVerdict
from lacuna.reporting.file_usage import code_by_library, code_for_images
from lacuna.reporting.target_facts import Content, advise_all, facts_of
from lacuna.stats.numbers import decimal, percent

CITATIONS = {
    "efficientnet": "Tan, M., & Le, Q. V. (2019). EfficientNet: Rethinking Model Scaling for Convolutional Neural "
    "Networks. ICML. https://arxiv.org/abs/1905.11946",
    "efficientnet_v2": "Tan, M., & Le, Q. V. (2021). EfficientNetV2: Smaller Models and Faster Training. ICML. "
    "https://arxiv.org/abs/2104.00298",
    "mobilenet_v2": "Sandler, M., Howard, A., Zhu, M., Zhmoginov, A., & Chen, L.-C. (2018). MobileNetV2: Inverted "
    "Residuals and Linear Bottlenecks. CVPR. https://arxiv.org/abs/1801.04381",
    "resnet": "He, K., Zhang, X., Ren, S., & Sun, J. (2016). Deep Residual Learning for Image Recognition. CVPR. "
    "https://arxiv.org/abs/1512.03385",
}
"""By how the backbone's name begins; the longest beginning counts."""

PROCEDURE = (*TRAINING_BLOCKS, "class_weights", "calibrate")
"""Blocks of params.yaml that say how the model was trained."""

MOST_LISTED_CLASSES = 12
"""A target of more classes has only so many listed; bundle.json has all."""

SCORES = ("precision", "recall", "f1", "average_precision", "roc_auc")


@dataclass(frozen=True)
class CardContent:
    """The content of metrics/prepare.json and so on; `test` is that of evaluate. `origin`: as in bundle.json."""

    prepare: Content
    training: Content
    audit: Content
    baseline: Content
    explain: Content
    test: Content
    origin: Content


def model_card(
    found: CardContent, classes: Mapping[str, Sequence[str]], params: Params, networks: Sequence[str] = ()
) -> str:
    """The card as Markdown; `classes` are those of each target, `networks` the names of the network's files. The same
    content gives the same bytes."""
    template = files("lacuna.reporting").joinpath("model_card.md.j2").read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["cell"] = _plain
    values = params.model_dump(mode="json")
    enough = params.calibrate.min_positives
    facts = {name: facts_of(name, found.prepare, found.audit, found.test, None, enough) for name in classes}
    return environment.from_string(template).render(
        front_matter=_front_matter(found, params),
        conclusion=conclude(dict(found.test)),
        found=found,
        classes={name: _listed(words) for name, words in classes.items()},
        uses=advise_all(facts),
        limits=limits(found),
        code_for_images=code_for_images(params.data.image_size, params.data.resize),
        code_by_library=code_by_library(networks),
        counts=_counts(found, classes),
        results=_results(found),
        models=_models(found.baseline),
        gains=[_plain(said) for said in describe_gains(found.baseline)],
        settings=[
            f"{block}.{key}: {value if isinstance(value, str) else json.dumps(value)}"
            for block in PROCEDURE
            for key, value in values[block].items()
        ],
        params=params,
        procedure=describe_training(params, found.training["kept"]),
        weights=_weights(params),
        citation="\n\n".join(dict.fromkeys(filter(None, map(_citation, params.backbone.names)))),
    )


def describe_training(params: Params, kept: str) -> str:
    """How the network and its head came about; kept: of metrics/training.json."""
    if params.warmup.solver == "exact":
        head = (
            "The head is the optimum of cross-entropy with an L2 penalty on the features of the frozen network, each "
            "target's penalty chosen by cross-validation within the training images."
        )
    else:
        head = (
            "The head was trained by gradient descent on the features of the frozen network; the epoch with the lowest "
            "validation log loss is kept."
        )
    if params.finetune.epochs == 0:
        return f"{head} The network itself is as it came."
    if kept == HEAD_ALONE:
        return (
            f"{head} Fine-tuning of the network's upper layers was tried, and validation did not show a gain: the "
            "network is as it came."
        )
    learned = "what the head misses" if params.finetune.residual else "the labels anew"
    mean = " The model is the mean of both, in logits." if kept == "mean" else ""
    return (
        f"{head} Then a copy of the network's upper layers learned {learned}; the epoch with the lowest validation log "
        f"loss is kept.{mean}"
    )


def limits(found: CardContent) -> list[str]:
    """What a user of the model must know of its data and its weak places, a sentence each."""
    said, names = [], list(found.test["targets"])
    unknown = {name: found.prepare["targets"][name]["unknown"] / found.prepare["images"] for name in names}
    if any(unknown.values()):
        listed = ", ".join(f"{_plain(name)} {share:.0%}" for name, share in unknown.items() if share)
        whose = [_plain(name) for name in names if found.test["targets"][name]["population"] == "all"]
        of_all = f"; those of {_listed(whose)}, whose labels are missing by their value, of all images" if whose else ""
        said.append(
            f"Labels are unknown for a share of the images ({listed}). Metrics are of the labelled images{of_all}."
        )
    for name in names:
        audited, target = found.audit["targets"].get(name, {"verdict": SignalVerdict.LEARNABLE}), _plain(name)
        if audited["verdict"] != SignalVerdict.LEARNABLE:
            said.append(f"{target}: the audit's verdict on its labels, before training, was: {audited['verdict']}.")
        metadata = audited.get("metadata", {})
        if metadata.get("verdict") == MetadataVerdict.CONFOUNDED:
            by = metadata.get("by", "properties of the files")
            said.append(
                f"{target} is confounded: properties of the image files alone tell it, by {by}. The model may have "
                "learned where images come from, which holds nowhere else."
            )
        said += [f"{_plain(why)}." for why in [describe_selection(name, found.test["targets"][name])] if why]
        if audited.get("skipped_classes"):
            said.append(f"{target}: too few images to judge {_listed(list(audited['skipped_classes']))}.")
    for name, explained in found.explain["targets"].items():
        for where, worse in explained.get("worse_slices", {}).items():
            said.append(
                f"{_plain(name)} is weaker where {_plain(where)}: {worse['accuracy']:.0%} of {worse['images']} "
                f"validation images are right, {worse['rest']:.0%} elsewhere."
            )
        faithfulness = explained.get("faithfulness")
        if faithfulness and not faithfulness.get("shown"):  # of few images it says neither
            said.append(f"{_plain(name)}: its heat maps are not shown to point at what the decision rests on.")
    return said


def _front_matter(found: CardContent, params: Params) -> str:
    results = []
    for name, metrics in found.test["targets"].items():
        listed = [{"type": score, "value": metrics[score], "name": score} for score in SCORES if score in metrics]
        results.append(
            {
                "task": {"type": "image-classification", "name": name},
                "dataset": {"type": "custom", "name": "the test part of its own data", "split": "test"},
                "metrics": listed,
            }
        )
    content = {
        "library_name": "lacuna",
        "pipeline_tag": "image-classification",
        "tags": [
            "lacuna",
            "image-attributes",
            "labels-with-gaps",
            "calibrated",
            "openvino",
            "onnx",
            *params.backbone.names,
        ],
        "metrics": list(SCORES),
        "model-index": [{"name": "lacuna", "results": results}],
    }
    yaml, text = YAML(), io.StringIO()
    yaml.width = 4096
    yaml.dump(content, text)
    return text.getvalue()


def _counts(found: CardContent, classes: Mapping[str, Sequence[str]]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for name in classes:
        counts = found.prepare["targets"][name]
        parts = (f"{sum(counts[part].values()):,}" for part in ("train", "val", "test"))
        rows.append((name, f"{counts['known']:,}", f"{counts['unknown'] / found.prepare['images']:.0%}", *parts))
    return rows


def _results(found: CardContent) -> list[Sequence[str]]:
    names = ("precision", "recall", "f1", "baseline_f1", "average_precision", "roc_auc", "ece")
    return [
        (name, str(metrics["n_known"]), *(percent(metrics, metric) for metric in names), metrics["verdict"])
        for name, metrics in found.test["targets"].items()
    ]


def _models(baseline: Content) -> list[Sequence[str]]:
    return [
        (NAMES[name], *(decimal(model["macro"], metric) for metric in TABLE_METRICS), f"{model['parameters']:,}")
        for name, model in baseline["models"].items()
    ]


def _weights(params: Params) -> str:
    if params.backbone.name == ONNX:
        return f"the file {_plain(PurePath(params.backbone.weights).name)}, frozen"
    if params.backbone.name == KERAS_HUB:
        preset = params.backbone.weights  # of a folder its name alone: the rest may name its user
        return f"the preset {_plain(preset if '://' in preset else PurePath(preset).name)}"
    known = {"imagenet": "pretrained on ImageNet", "none": "from random weights"}
    return known.get(params.backbone.weights, "from weights of its user's own")


def _citation(backbone: str) -> str:
    fitting = [start for start in CITATIONS if backbone.startswith(start)]
    return CITATIONS[max(fitting, key=len)] if fitting else ""


def _listed(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - MOST_LISTED_CLASSES} more" if len(classes) > MOST_LISTED_CLASSES else ""
    return ", ".join(_plain(name) for name in classes[:MOST_LISTED_CLASSES]) + more


def _plain(text: object) -> str:
    """What comes from the data, without what Markdown or HTML would take for theirs, on one line."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in r"\`*_[]|#" else sign for sign in line)
