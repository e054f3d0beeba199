"""The block `data` of params.yaml: the images, their labels, and how both are read."""

import re
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from lacuna.config.types import (
    LABELLED_BY_PLACE,
    Block,
    CorrectionsPath,
    Count,
    Fraction,
    LabelKind,
    Source,
    Words,
)
from lacuna.core.targets import Kind, Target, Targets
from lacuna.core.working_image import Resize

NO_TARGETS = ("group", "split")
"""Groups of `name_pattern` that are no targets: what belongs together, and the part."""

SAMPLE_FOLDER = Path("data/sample")
"""Where the stage `sample` writes the embedded data set."""


class TargetColumn(Block):
    """A target that is read in its own way. `column` is its name in the label file, "" for the target's own, or the
    names of a block of columns, of which the one that says present is the class. Words that are None are those of all.
    """

    kind: LabelKind
    column: str | Annotated[tuple[str, ...], Field(strict=False, min_length=2)] = ""
    unknown: Words | None = None
    positive: Words | None = None
    negative: Words | None = None

    @model_serializer(mode="wrap")
    def _as_written(self, complete: SerializerFunctionWrapHandler) -> Any:
        """As people write it: the kind alone where nothing else is said."""
        content = {key: value for key, value in complete(self).items() if value not in (None, "")}
        return self.kind if list(content) == ["kind"] else content


def _kind_alone(target: object) -> object:
    return {"kind": target} if isinstance(target, str) else target


class Tags(Block):
    """How lists in cells are read. `separator`: "" for blanks. `none`: words that say that an image has no tag."""

    separator: str
    none: Words
    absent_means: Literal["absent", "unknown"]


class Data(Block):
    source: Source
    path: Annotated[str, Field(min_length=1)]
    labels: Annotated[str, Field(min_length=1)]
    targets: dict[str, Annotated[TargetColumn, BeforeValidator(_kind_alone)]]
    image_column: str | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    group_column: str
    group_folders: Annotated[int, Field(ge=0, le=10)]
    name_pattern: Annotated[str, Field(max_length=500)]
    split_column: str
    columns: Words
    sheet: str
    encoding: str
    unknown: Words
    positive: Words
    negative: Words
    tags: Tags
    labels_without_images: Literal["error", "ignore"]
    min_class_count: Count
    rare_classes: Literal["unknown", "other"]
    max_images: Annotated[int, Field(ge=0)]
    image_size: Annotated[int, Field(ge=8, le=1024)]
    resize: Resize
    max_pixels: Count
    max_rejected: Fraction
    duplicate_rms: Fraction
    corrections: CorrectionsPath

    def column(self, name: str) -> TargetColumn:
        """How a target is read, nothing left open: its own words, or those of all."""
        own = self.targets[name]
        words = {key: getattr(self, key) for key in ("unknown", "positive", "negative") if getattr(own, key) is None}
        return own.model_copy(update={"column": own.column or name, **words})

    @property
    def kinds(self) -> dict[str, LabelKind]:
        """What each of the columns that `targets` names holds."""
        return {name: target.kind for name, target in self.targets.items()}

    @property
    def target_kinds(self) -> dict[str, Kind]:
        """The kind of each target, where none is a column of tags, which only tables have."""
        return {name: kind for name, kind in self.kinds.items() if kind != "tags"}

    @property
    def is_embedded(self) -> bool:
        """Whether the images or labels are those that the stage `sample` writes."""
        return any(Path(place).is_relative_to(SAMPLE_FOLDER) for place in (self.path, self.labels))

    @property
    def image_columns(self) -> tuple[str, ...]:
        return (self.image_column,) if isinstance(self.image_column, str) else self.image_column

    @field_validator("targets")
    @classmethod
    def _targets_can_be_named_so(cls, targets: dict[str, TargetColumn]) -> dict[str, TargetColumn]:
        named = (name for name, target in targets.items() if target.kind != "tags")
        Targets(tuple(Target(name, "binary", ("0", "1")) for name in named))  # raises before any image is decoded
        return targets

    @field_validator("name_pattern")
    @classmethod
    def _is_a_regular_expression(cls, pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"no regular expression: {error}") from None
        if pattern and compiled.groups > len(compiled.groupindex):
            raise ValueError("a group without a name: expected (?P<name>...), or (?:...) where it means nothing")
        if pattern and not compiled.groupindex:
            raise ValueError(
                "no group with a name: expected (?P<name>...), or (?P<group>...) for what belongs together"
            )
        return pattern

    @field_validator("encoding")
    @classmethod
    def _is_known_to_python(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(f"unknown encoding {encoding!r}; for example utf-8, cp1252 or shift_jis") from None
        return encoding

    @model_validator(mode="after")
    def _keys_fit_each_other(self) -> Self:
        for first, second in combinations(("unknown", "positive", "negative"), 2):
            _refuse_shared_words(self, first, second, "")
        for name in self.targets:
            column = self.column(name)
            if not isinstance(column.column, str) and column.kind != "categorical":
                raise ValueError(
                    f"targets.{name}: several columns make a categorical target, not one that is {column.kind}"
                )
            for first, second in combinations(("unknown", "positive", "negative"), 2):
                _refuse_shared_words(column, first, second, f"targets.{name}: ")
        if self.source == "table" and not self.targets:
            raise ValueError("targets must name at least one column of the table")
        if self.source != "table" and "tags" in self.kinds.values():
            raise ValueError(f"targets of kind tags are lists in the cells of a table; source is {self.source}")
        self._check_name_pattern()
        if (self.source in LABELLED_BY_PLACE or self.source == "file_names") and self.labels != self.path:
            raise ValueError(f"labels must be path again with source {self.source}, received {self.labels!r}")
        if self.source in LABELLED_BY_PLACE and set(self.kinds.values()) - {"categorical"}:
            raise ValueError(f"targets must be categorical or {{}} with source {self.source}")
        if self.source == "idx" and len(self.targets) > 1:
            raise ValueError("targets must be one categorical target or {} with source idx")
        return self

    def _check_name_pattern(self) -> None:
        named = set(re.compile(self.name_pattern).groupindex)
        if self.group_folders and "group" in named:
            raise ValueError("group_folders must be 0 where name_pattern has a (?P<group>...)")
        if self.source != "file_names":
            if self.name_pattern and named != {"group"}:
                raise ValueError(
                    f"name_pattern must name group alone with source {self.source}, received {sorted(named)}"
                )
            return
        wanted = {str(self.column(name).column) for name in self.targets}
        if not named - {*NO_TARGETS} or wanted - named:
            raise ValueError(
                f"name_pattern must have a (?P<name>...) of each target with source file_names; it has {sorted(named)}"
            )


def _refuse_shared_words(words: Data | TargetColumn, first: str, second: str, where: str) -> None:
    both = set(getattr(words, first)) & set(getattr(words, second))
    if both:
        said = ", ".join(map(repr, sorted(both)))
        raise ValueError(f"{where}{said} must not stand in both {first} and {second}")
