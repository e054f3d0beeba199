"""Blocks of params.yaml on what becomes of a finished model."""

from typing import Annotated

from pydantic import Field

from lacuna.config_types import Block, OpenFraction, Seed


class Export(Block):
    int8: bool


class Familiarity(Block):
    images: Annotated[int, Field(ge=50)]
    false_alarms: OpenFraction
    seed: Seed
