"""The block `familiarity` of params.yaml: when an image counts as unlike the training images."""

from typing import Annotated

from pydantic import Field

from lacuna.config_types import Block, OpenFraction, Seed


class Familiarity(Block):
    images: Annotated[int, Field(ge=50)]
    false_alarms: OpenFraction
    seed: Seed
