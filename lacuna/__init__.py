"""Image-attribute models from labels with gaps.

    from lacuna import Predictor

    predictor = Predictor.load("models/bundle")

The package is lazy: importing it imports nothing else, so that a stage pays only for what it uses.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lacuna.inference.predictor import Predictor

__all__ = ["Predictor"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "Predictor":
        from lacuna.inference.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
