"""What people have chosen in Label Studio, read from its exports JSON and JSON-MIN."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lacuna.errors import LacunaError
from lacuna.io.names import printable
from lacuna.labelling.label_config import IMAGE_KEY

MAX_EXPORT_BYTES = 200_000_000
"""A hundred thousand annotations of ten targets take half of it."""

MOST_CHARACTERS = 4096
"""Of an address. Longer texts hold the picture itself, or something else."""

REGION_KEYS = frozenset({"x", "y", "width", "height", "points", "rle"})
"""Of a choice about a part of the picture, which says nothing about the whole."""


@dataclass(frozen=True)
class Annotation:
    """One person's answer about one picture.

    task: its number. annotator: who gave it. addresses: what the task's data say of where the picture is. chosen: by
    target the words chosen for it. emptied: by target the words that were filled in when the person started, where
    nothing is chosen any more. others: groups of choices that are no target.
    """

    task: str
    annotator: str
    addresses: tuple[str, ...]
    chosen: dict[str, tuple[str, ...]]
    emptied: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: frozenset[str] = frozenset()


def read_annotations(path: Path, targets: Collection[str]) -> list[Annotation]:
    """The annotations of an export that were submitted, by the names of the targets; skipped ones are left out.

    Raises LacunaError when the file is missing, larger than MAX_EXPORT_BYTES or no such export.
    """
    try:
        if path.stat().st_size > MAX_EXPORT_BYTES:
            raise LacunaError(f"{path}: larger than {MAX_EXPORT_BYTES // 1_000_000} MB; export fewer tasks at once")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file; export the project's annotations from Label Studio") from None
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LacunaError(f"{path}: not JSON ({reason}); export as JSON or JSON-MIN from Label Studio") from None
    if not isinstance(content, list):
        raise LacunaError(f"{path}: expected a list of tasks, as Label Studio exports them by JSON or JSON-MIN")
    found: list[Annotation] = []
    for number, task in enumerate(content, 1):
        try:
            found += _read_task(task, targets)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            reason = printable(f"{type(error).__name__}: {error}")[:200]
            raise LacunaError(
                f"{path}: task {number} of the file is not as Label Studio writes it ({reason})"
            ) from None
    return found


def _read_task(task: Mapping[str, Any], targets: Collection[str]) -> Iterator[Annotation]:
    if "annotations" not in task:
        yield _from_minimal(task, targets)
        return
    number, addresses = str(task["id"]), _addresses(task["data"])
    for annotation in task["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        chosen = _chosen(annotation["result"])
        started_from = annotation.get("prediction") or {}
        filled = _chosen(started_from.get("result") or ()) if isinstance(started_from, dict) else {}
        yield Annotation(
            number,
            _annotator(annotation.get("completed_by")),
            addresses,
            {name: words for name, words in chosen.items() if name in targets},
            {name: words for name, words in filled.items() if name in targets and name not in chosen},
            frozenset(name for name in chosen if name not in targets),
        )


def _from_minimal(task: Mapping[str, Any], targets: Collection[str]) -> Annotation:
    """A line of JSON-MIN: the task's data, and beside them what was chosen, by group."""
    if "annotation_id" not in task:
        raise ValueError("neither annotations nor annotation_id")
    chosen = {}
    for name in targets:
        value = task.get(name)
        words = value.get("choices") if isinstance(value, dict) else [value]
        if isinstance(words, list) and words and all(isinstance(word, str) for word in words):
            chosen[name] = tuple(words)
    return Annotation(str(task["id"]), _annotator(task.get("annotator")), _addresses(task), chosen)


def _chosen(result: Any) -> dict[str, tuple[str, ...]]:
    chosen: dict[str, tuple[str, ...]] = {}
    for region in result:
        if region.get("type") == "choices" and not REGION_KEYS & set(region["value"]):
            words = region["value"]["choices"]
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise ValueError(f"choices of {region['from_name']}: expected a list of words")
            if words:
                chosen[region["from_name"]] = chosen.get(region["from_name"], ()) + tuple(words)
    return chosen


def _addresses(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts among a task's data that may be addresses, that of the picture first."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS}
    return tuple(sorted(texts.values(), key=lambda text: text != texts.get(IMAGE_KEY)))


def _annotator(who: Any) -> str:
    return str(who.get("email") or who.get("id")) if isinstance(who, dict) else str(who)
