"""CVAT's XML "for images 1.1": tags, objects and their attributes, image by image."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lacuna.config.data import Data
from lacuna.core.manifest import SPLIT_WORDS
from lacuna.data.labels.annotations.annotation_files import as_word
from lacuna.data.labels.annotations.cvat_xml import CvatImage, CvatLabels, read_cvat_images
from lacuna.data.labels.annotations.offered_targets import (
    AnnotatedImages,
    Offer,
    Question,
    build_table,
    note_never_used,
)
from lacuna.data.labels.label_table import LabelTable
from lacuna.io.names import listed, shortened

_LISTED = {"select", "radio"}

_UNDEFINED = "__undefined__"
"""What CVAT writes for a choice that the annotator left open."""


def read_cvat(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read `data.labels`: a binary target of each label, present in an image with such a tag or object.

    Attributes are targets called by label and attribute: of a list of choices categorical, of a check box binary (one
    of the objects has it), and unknown in images without such a tag or object. Texts and numbers, and `label`, the one
    label that an image has, are targets where `data.targets` names them. Raises LacunaError with the line where the
    file is not as CVAT writes it.
    """
    path = Path(data.labels)
    labels, images = read_cvat_images(path)
    rows = AnnotatedImages()
    question = Question("label")
    attributes: dict[tuple[str, str], Question] = {}
    for name in labels.names:
        question.declare(name)
    has_split = _subsets_are_splits(images)
    n_bare = 0
    for image in images:
        place = f"{path}:{image.line}"
        row = rows.add(as_word(image.name, place, "name"), image.line, image.subset if has_split else "")
        n_bare += not image.labels
        for name in image.labels:
            question.add(row, as_word(name, place, "label"))
        for (label, attribute), words in _attribute_words(labels, image).items():
            answers = attributes.setdefault((label, attribute), Question(f"{label} {attribute}"))
            for word in words:
                answers.add(row, as_word(word, place, f"attribute {shortened(attribute)}"))
    offers = question.offer_each_word(len(rows))
    if question.n_answers():
        offers.append(question.offer_the_word(len(rows), is_asked_for=True))
    offers += [_offer_attribute(labels, key, answers, len(rows)) for key, answers in attributes.items()]
    notes = note_never_used(question.never_used())
    if n_bare:
        notes.append(f"{n_bare} of {len(rows)} images have no annotation and count as having none of the labels")
    unread = [offer.word for offer in offers if offer.is_asked_for and offer.word in _texts(labels)]
    if unread and not data.targets:
        notes.append(f"attributes that are texts or numbers are no targets by themselves: {listed(unread)}")
    return build_table(path, data, rows, offers, notes)


def _attribute_words(labels: CvatLabels, image: CvatImage) -> dict[tuple[str, str], set[str]]:
    """The words of each attribute in this image; those of check boxes are one, present or absent."""
    found: dict[tuple[str, str], set[str]] = {}
    for label, attribute, word in image.attributes:
        if word.strip() not in ("", _UNDEFINED):
            found.setdefault((label, attribute), set()).add(word.strip())
    for key, words in found.items():
        if labels.inputs.get(key) == "checkbox":
            found[key] = {"present" if "true" in {word.lower() for word in words} else "absent"}
    return found


def _offer_attribute(labels: CvatLabels, key: tuple[str, str], answers: Question, n_rows: int) -> Offer:
    kind = labels.inputs.get(key, "")
    offer = answers.offer_the_word(n_rows, is_asked_for=kind not in {*_LISTED, "checkbox"})
    return replace(offer, kinds=("binary",)) if kind == "checkbox" else offer


def _texts(labels: CvatLabels) -> set[str]:
    return {" ".join(key) for key, kind in labels.inputs.items() if kind not in {*_LISTED, "checkbox"}}


def _subsets_are_splits(images: Sequence[CvatImage]) -> bool:
    return all(image.subset.lower() in SPLIT_WORDS for image in images)
