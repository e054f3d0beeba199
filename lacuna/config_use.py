"""Blocks of params.yaml on what becomes of a finished model."""

from lacuna.config_types import Block


class Export(Block):
    int8: bool
