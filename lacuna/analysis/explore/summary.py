"""The exploration in few numbers and sentences, for `metrics/explore.json` and a person."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.explore.findings import Findings
from lacuna.analysis.explore.missingness import describe_by_class, describe_together
from lacuna.analysis.explore.odd_images import OddImage
from lacuna.analysis.explore.pixels import PixelStatistics
from lacuna.analysis.explore.subject import Subject
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.io.plurals import number_of
from lacuna.stats.numbers import in_percent

MOST_LISTED = 10
"""So many pairs of each kind are in the summary; the tables hold all."""

STRONG = 0.5
"""Associations from here on are told in words."""

TOLD = 5
"""So many sentences of a kind."""

LOPSIDED = 20
"""A largest class so many times the smallest is told in words."""


def summarise_exploration(
    subject: Subject, found: Findings, rejected: Sequence[object], left_out: int, alpha: float
) -> dict[str, Any]:
    """The content of `metrics/explore.json`. What is undefined is left out; test images take no part.

    left_out: the images in the folder that `data.max_images` did not draw.
    """
    split = subject.manifest.split
    images = {"looked_at": len(split), "train": int((split == "train").sum()), "val": int((split == "val").sum())}
    targets = {
        target.name: _describe_target(target, subject.manifest.labels[:, column])
        for column, target in enumerate(subject.targets)
    }
    content = {
        "images": {**images, "odd": len(found.odd), "rejected": len(rejected), "left_out": left_out},
        "files": _describe_files(subject),
        "pixels": _describe_pixels(found.pixels),
        "targets": targets,
        "association": [_pair_content(pair) for pair in found.associations[:MOST_LISTED]],
        "missing_together": [_pair_content(pair) for pair in found.together[:MOST_LISTED]],
        "missing_by_class": [_pair_content(pair) for pair in found.by_class[:MOST_LISTED]],
        "most_alike": _most_alike(subject.targets, found.likeness),
    }
    strong = [
        f"{pair.one} and {pair.other} {'go together' if pair.value > 0 else 'exclude each other'}: "
        f"{abs(pair.value):.2f}, where 0 is unrelated and 1 is that one tells the other"
        for pair in found.associations
        if abs(pair.value) >= STRONG
    ]
    content["findings"] = [
        *_describe_labels(targets),
        *_first(strong, "association.csv"),
        *_first(describe_by_class(found.by_class, alpha), "missing_by_class.csv"),
        *_first(describe_together(found.together, alpha), "missing_together.csv"),
        *_describe_images(content, found.odd),
    ]
    return content


def _describe_target(target: Target, labels: NDArray[np.int16]) -> dict[str, Any]:
    counts = np.bincount(labels[labels >= 0], minlength=target.n_classes)
    order = [index for index in np.argsort(-counts, kind="stable").tolist() if counts[index]]
    content: dict[str, Any] = {
        "kind": target.kind,
        "classes": target.n_classes,
        "known": int(counts.sum()),
        "unknown": int((labels == UNKNOWN).sum()),
        "unknown_share": round(float((labels == UNKNOWN).mean()), 4),
    }
    if order:
        content["largest"] = {"class": target.classes[order[0]], "images": int(counts[order[0]])}
        content["smallest"] = {"class": target.classes[order[-1]], "images": int(counts[order[-1]])}
    return content


def _describe_files(subject: Subject) -> dict[str, Any]:
    width, height = subject.shapes().T
    ratio = width / height
    formats = Counter(f"{file.format} {file.mode}" for file in subject.files)
    return {
        "formats": dict(formats.most_common()),
        "sizes": len(set(zip(width.tolist(), height.tolist(), strict=True))),
        **{
            name: {
                "min": _four_digits(values.min()),
                "median": _four_digits(np.median(values)),
                "max": _four_digits(values.max()),
            }
            for name, values in (("width", width), ("height", height), ("aspect_ratio", ratio))
        },
        "median_bytes": int(np.median([file.bytes for file in subject.files])),
    }


def _describe_pixels(pixels: PixelStatistics) -> dict[str, Any]:
    values = np.arange(256)
    total = pixels.histogram.sum(axis=1)
    mean = pixels.histogram @ values / total
    deviation = np.sqrt(pixels.histogram @ values**2 / total - mean**2)
    channels = ("red", "green", "blue")
    return {
        "mean": dict(zip(channels, map(_four_digits, mean), strict=True)),
        "deviation": dict(zip(channels, map(_four_digits, deviation), strict=True)),
        "grey": bool((pixels.histogram == pixels.histogram[0]).all()),
    }


def _most_alike(targets: Targets, likeness: Sequence[NDArray[np.float64]]) -> dict[str, dict[str, Any]]:
    """Of each target of three classes or more the two whose mean images depart most alike from the mean of all."""
    found = {}
    for target, alike in zip(targets, likeness, strict=True):
        upper = np.where(np.triu(np.ones(alike.shape, bool), 1), alike, np.nan)
        if target.n_classes > 2 and not np.isnan(upper).all():
            one, other = np.unravel_index(np.nanargmax(upper), upper.shape)
            value = _four_digits(upper[one, other])
            found[target.name] = {"one": target.classes[one], "other": target.classes[other], "correlation": value}
    return found


def _describe_labels(targets: Mapping[str, dict[str, Any]]) -> list[str]:
    gaps = sorted(
        ((target["unknown_share"], name) for name, target in targets.items() if target["unknown"]), reverse=True
    )
    sentences = []
    if gaps:
        worst = ", ".join(f"{name} {in_percent(share)}" for share, name in gaps[:5])
        sentences.append(
            f"{len(gaps)} of {len(targets)} targets have unknown labels: {worst}{_more(gaps, 5)}; whether they are "
            "missing by what they would say is not seen in labels, train_finetune tells it by the images"
        )
    lopsided = []
    for name, target in targets.items():
        if "largest" in target and target["largest"]["images"] > LOPSIDED * target["smallest"]["images"]:
            large, small = target["largest"], target["smallest"]
            words = f"{large['class']} {large['images']:,}, {small['class']} {small['images']:,}"
            lopsided.append(f"{name} ({words})")
    if lopsided:
        sentences.append(
            f"the largest class has more than {LOPSIDED} times the images of the smallest: "
            f"{', '.join(lopsided[:3])}{_more(lopsided, 3)}"
        )
    return sentences


def _describe_images(content: Mapping[str, Any], odd: Sequence[OddImage]) -> list[str]:
    sentences = []
    if content["images"]["rejected"]:
        sentences.append(f"rejected images: {content['images']['rejected']}, see rejected.png")
    if odd:
        sentences.append(f"odd images: {len(odd)}, see odd.png; the first: {odd[0].image}: {odd[0].reason}")
    if len(content["files"]["formats"]) > 1:
        kinds = [f"{name} {n:,}" for name, n in content["files"]["formats"].items()]
        sentences.append(f"the files are of {len(kinds)} kinds: {', '.join(kinds[:4])}{_more(kinds, 4)}")
    return sentences


def _first(sentences: Sequence[str], table: str) -> list[str]:
    """The first sentences of a kind, and where to find the others."""
    left = len(sentences) - TOLD
    return [*sentences[:TOLD], *([f"{number_of(left, 'more such pair')}: {table}"] if left > 0 else [])]


def _more(things: Sequence[object], shown: int) -> str:
    return f" and {len(things) - shown} more" if len(things) > shown else ""


def _pair_content(pair: Any) -> dict[str, Any]:
    return {name: _four_digits(value) if isinstance(value, float) else value for name, value in pair._asdict().items()}


def _four_digits(value: float) -> float:
    """Four significant digits of a number below 1, else four decimals."""
    return float(f"{value:.4g}") if abs(value) < 1 else round(float(value), 4)
