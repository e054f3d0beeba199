"""What the columns of a table are for: images, groups, the split, targets and their words, or nothing to learn."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.manifest import SPLIT_WORDS
from lacuna.core.targets import MAX_NAME_BYTES, check_name
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.odd_classes import reads_like_unknown
from lacuna.data.labels.tags import find_separator, split_cell
from lacuna.init.binary_words import is_tick, says_absent, says_present
from lacuna.init.no_target import NUMBER, why_not
from lacuna.io.names import UNPRINTABLE, listed
from lacuna.io.plurals import number_of

MINUS = frozenset(("-1", "-1.0"))
NO_TAG = re.compile(r"(no|none|nothing|normal|clear)([ _-]?(finding|findings|label|labels|tag|tags))?", re.I)
GROUP_NAME = re.compile(r"(patient|subject|person|product|case|study|lesion|family|concept|user|owner|group|sku)", re.I)
SPLIT_NAME = re.compile(r"(split|set|subset|part|partition|fold|usage)", re.I)

ANNOTATOR_NAME = re.compile(r"(annotator|rater|reader|rad_id|radiologist|labell?er|worker|reviewer|e-?mail)", re.I)
CONFLICTS = 0.25
"""Where so many of the images with several rows have different words, the rows list what is there."""

UNUSED = ("|", ";", "\u00a6", "\u241f")
UNASSIGNED = "unassigned"
"""What Google's AutoML writes for an image that is in no part yet."""

FEWEST_IN_BLOCK = 3
"""Columns of which always one says present are a block from so many on."""


@dataclass
class Roles:
    """What was found of the columns, in the words of the block `data`. `why`: a sentence each. `doubts`: what cannot be
    known, as (what is assumed, key and value that say otherwise). `left_out`: columns and reasons."""

    images: list[str] = field(default_factory=list)
    min_count: int = 1
    group: str = ""
    split: str = ""
    targets: dict[str, Any] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    tags: dict[str, Any] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def assign_roles(
    columns: dict[str, WordColumn],
    images: Sequence[str],
    unknown: Sequence[str],
    image: NDArray[np.int64],
    min_count: int,
) -> Roles:
    """Tell what each column is for, given those that name images, the words that mean unknown, each row's image (-1 for
    none), and of how many images a class must have labels."""
    roles = Roles(images=list(images), min_count=min_count)
    rest = {name: column for name, column in columns.items() if name not in images}
    for name, column in list(rest.items()):
        open_words = {word for word in column.words if word.lower() == UNASSIGNED}
        words = {word.lower() for word in column.words if word and word not in unknown} - {UNASSIGNED}
        if words and words <= set(SPLIT_WORDS) and (len(words) > 1 or SPLIT_NAME.search(name)) and not roles.split:
            roles.split = name
            roles.unknown |= open_words
            roles.why.append(f"column {name!r} is the split: {listed(sorted(words))}")
            del rest[name]
    _find_group(rest, roles)
    _find_targets(rest, roles, {*unknown, ""}, image)
    return roles


def _find_group(rest: dict[str, WordColumn], roles: Roles) -> None:
    """The column of the largest groups: a patient has several studies. The others are nothing to learn."""
    found: dict[str, tuple[int, int]] = {}
    for name, column in rest.items():
        counts = column.counts()[[place for place, word in enumerate(column.words) if word]]
        repeated = len(counts) > 1 and len(counts) < 0.9 * counts.sum() and counts.max() < 0.2 * counts.sum()
        many = len(counts) >= 0.02 * counts.sum() and len(counts) >= 10
        if GROUP_NAME.search(name) and repeated and many:
            found[name] = len(counts), int(counts.sum())
    if not found:
        return
    roles.group = min(found, key=lambda name: found[name][0])
    n_values, n_rows = found[roles.group]
    roles.why.append(
        f"column {roles.group!r} names what images belong to: {number_of(n_values, 'value')} for "
        f"{number_of(n_rows, 'row')}; images with the same one stay in one part"
    )
    roles.doubts.append((f"images of the same {roles.group} belong together", "data.group_column="))
    for name in found:
        del rest[name]
        if name != roles.group:
            roles.left_out.append((name, f"names smaller groups than {roles.group!r}"))


def _find_targets(rest: dict[str, WordColumn], roles: Roles, unknown: set[str], image: NDArray[np.int64]) -> None:
    binary: dict[str, tuple[dict[str, Any], NDArray[np.int32]]] = {}
    partitions: dict[bytes, str] = {}
    found: dict[str, Any] = {}
    for name, column in rest.items():
        gaps = {word for word in column.words if word in unknown or reads_like_unknown(word)} - MINUS
        known = [word for word in column.words if word not in gaps]
        counts = dict(zip(column.words, column.counts().tolist(), strict=True))
        # A lone 1 may be the part of a table in which others are 0: is the rest absent, or unknown? A cross is no such.
        is_marked = len(known) == 1 and is_tick(known[0]) and "" in column.words and gaps == {""}
        reason = "no name in the header" if not name else "" if is_marked else why_not(name, known, counts)
        code = column.recoded([-1 if word in gaps else place for place, word in enumerate(column.words)])
        differ, n_said = (0.0, 0.0) if reason else _conflicts(code, image)
        if differ > CONFLICTS and ANNOTATOR_NAME.search(name):
            reason = "tells who labelled, or differs between the rows of an image"
        elif differ > CONFLICTS and n_said == len(known):
            reason = "numbers the rows of each image: all of its words stand at every image"
        if not reason:
            partition = _partition(column, gaps)
            twin = partitions.setdefault(partition, name)
            reason = f"says the same as {twin!r}" if twin != name else ""
        if reason:
            roles.left_out.append((name, reason))
            continue
        roles.unknown |= gaps - unknown
        own = _as_marks(name, known[0], roles) if is_marked else _as_binary(name, known, roles)
        if own is not None:
            code = column.recoded([_meaning(word, own) for word in column.words])
            binary[name] = own, code
            found[name] = own
        else:
            target = _as_classes(name, column, known, roles, differ, image, set(rest), unknown)
            found |= {name: target} if target else {}
    for name, target in _join_blocks(found, binary, roles).items():
        free = _free_name(name, roles)
        roles.targets[free] = target if free == name or "column" in target else {**target, "column": name}


def _as_marks(name: str, mark: str, roles: Roles) -> dict[str, Any]:
    """A column in which some cells are marked and the others are empty."""
    said = f"{name}: an empty cell means absent, because the others say only {mark!r}"
    roles.doubts.append((said, f"data.targets.{_clean(name)}="))
    return {"kind": "binary", "positive": [mark], "negative": [""], "unknown": []}


def _conflicts(code: NDArray[np.int32], image: NDArray[np.int64]) -> tuple[float, float]:
    """Of the images with several rows, the share whose rows say different things; and how many things an image says."""
    known = (code >= 0) & (image >= 0)
    pairs = np.unique(np.stack([image[known], code[known]]), axis=1)
    rows = np.bincount(image[known], minlength=1)
    different = np.bincount(pairs[0], minlength=len(rows))
    return float((different > 1).sum() / max(1, (rows > 1).sum())), different.sum() / max(1, (different > 0).sum())


def _partition(column: WordColumn, gaps: set[str]) -> bytes:
    """Equal for columns that say the same in other words."""
    code = column.recoded([-1 if word in gaps else place for place, word in enumerate(column.words)])
    order: dict[int, int] = {-1: -1}
    return np.array([order.setdefault(one, len(order)) for one in code.tolist()], dtype=np.int32).tobytes()


def _as_binary(name: str, known: Sequence[str], roles: Roles) -> dict[str, Any] | None:
    words = set(known)
    present, absent = set(filter(says_present, words)), set(filter(says_absent, words))
    if not words <= present | absent | MINUS or not present or not absent | words & MINUS:
        return None
    own: dict[str, Any] = {"kind": "binary", "positive": sorted(present), "negative": sorted(absent)}
    if words & MINUS and not absent:
        own["negative"] = sorted(words & MINUS)
    elif words & MINUS:
        own["unknown"] = ["", *sorted(words & MINUS)]
        roles.unknown |= words & MINUS
        said = f"{name}: -1 is unknown (uncertain)"
        present_too = {**own, "positive": [*own["positive"], *sorted(words & MINUS)], "unknown": [""]}
        otherwise = json.dumps(_short(name, present_too), ensure_ascii=False)
        roles.doubts.append((said, f"data.targets.{_clean(name)}={otherwise}"))
    return own


def _meaning(word: str, own: dict[str, Any]) -> int:
    return 1 if word in own["positive"] else 0 if word in own["negative"] else -1


def _as_classes(
    name: str,
    column: WordColumn,
    known: Sequence[str],
    roles: Roles,
    differ: float,
    image: NDArray[np.int64],
    others: set[str],
    unknown: set[str],
) -> dict[str, Any]:
    """A categorical target or tags; nothing where it can be neither."""
    separator = find_separator(
        WordColumn(column.code, tuple(word if word in set(known) else "" for word in column.words))
    )
    if separator is None and differ <= CONFLICTS:
        pairs = np.unique(np.stack([image, column.code])[:, image >= 0], axis=1)
        n_images = np.bincount(pairs[1], minlength=len(column.words)).tolist()
        counts = dict(zip(column.words, n_images, strict=True))
        n_large = sum(counts[word] >= roles.min_count for word in known)
        if n_large < 2:
            roles.left_out.append((name, f"{n_large} of {len(known)} words have {roles.min_count} images or more"))
            return {}
        if (minus := MINUS & set(known)) and all(map(NUMBER.fullmatch, known)):
            said = f"{name}: -1 is unknown"
            roles.doubts.append((said, f"data.targets.{_clean(name)}.unknown=['']"))
            return {"kind": "categorical", "unknown": sorted({*unknown, *minus})}
        return {"kind": "categorical"}
    if differ > CONFLICTS:
        said = f"{name}: what the rows of an image say is a list ({differ:.0%} of images with several rows say several)"
        roles.doubts.append((said, f"data.targets.{_clean(name)}.kind=categorical"))
    unused = (mark for mark in (roles.tags.get("separator", "|"), *UNUSED) if not any(mark in word for word in known))
    separator = next(unused) if separator is None else separator
    tags = {tag for word in known for tag in split_cell(word, separator)}
    other = roles.tags.get("separator", separator)
    reason = f"lists, but not between {other!r} as in another column" if other != separator else ""
    if both := sorted(tags & others):
        reason = f"lists of what other columns are called: {listed(both)}"
    if reason:
        roles.left_out.append((name, reason))
        return {}
    none = sorted(tag for tag in tags if NO_TAG.fullmatch(tag) and tag in column.words)
    roles.tags = {
        "separator": separator,
        "none": sorted({*none, *roles.tags.get("none", ())}),
        "absent_means": "absent",
    }
    between = "blanks" if not separator else repr(separator)
    said = f"; {listed(none)} means none of the others" if none else ""
    roles.why.append(f"column {name!r} holds lists, {between} between {number_of(len(tags), 'tag')}{said}")
    roles.doubts.append((f"{name}: a tag that is not listed is absent", "data.tags.absent_means=unknown"))
    if "[]" in known:
        said = f"{name}: an empty list says that none of the tags is there"
        roles.doubts.append((said, f"data.targets.{_clean(name)}.unknown=['', '[]']"))
    return {"kind": "tags"}


def classes_in_names(column: WordColumn, images: WordColumn) -> float:
    """For which share of the rows the image's path names the class: a model of anything else may be easier to make."""
    pairs = zip(column.code.tolist(), images.code.tolist(), strict=True)
    lower, paths = [word.casefold() for word in column.words], [path.casefold() for path in images.words]
    seen = [lower[code] in paths[image] for code, image in pairs if code >= 0 and len(lower[code]) > 2]
    return sum(seen) / len(column) if len(column) else 0.0


def _join_blocks(
    found: dict[str, Any], binary: dict[str, tuple[dict[str, Any], NDArray[np.int32]]], roles: Roles
) -> dict[str, Any]:
    """Make one categorical target of all binary columns of which always exactly one says present."""
    if len(binary) < FEWEST_IN_BLOCK:
        return found
    codes = np.stack([code for _, code in binary.values()])
    known = (codes >= 0).all(axis=0)
    one = (codes[:, known] == 1).sum(axis=0) == 1
    if not known.any() or one.mean() < 0.99 or known.mean() < 0.9:
        return found
    names = list(binary)
    roles.why.append(f"exactly one of {listed(names)} is present in each row: classes of one target")
    several = ", ".join(f"{name}: binary" for name in names)
    roles.doubts.append((f"{len(names)} columns are the classes of one target", f"data.targets={{{several}}}"))
    joined = {name: target for name, target in found.items() if name not in binary}
    words = {key: sorted({word for own, _ in binary.values() for word in own[key]}) for key in ("positive", "negative")}
    return {"class": {"kind": "categorical", "column": names, **words}, **joined}


def _free_name(name: str, roles: Roles) -> str:
    """A name that a target can have, for a column of this one."""
    clean = _clean(UNPRINTABLE.sub("_", name)) or "target"
    clean = clean.encode()[: MAX_NAME_BYTES - 10].decode(errors="ignore").strip()
    try:
        check_name(clean)
    except ValueError:
        clean = f"{clean}_"
    while any(clean.casefold() == other.casefold() for other in roles.targets):
        clean += "_"
    return clean


def _clean(name: str) -> str:
    return re.sub(r"[./\\]", "_", name).strip()


def _short(name: str, target: dict[str, Any]) -> dict[str, Any]:
    return target if _clean(name) == name or "column" in target else {**target, "column": name}
