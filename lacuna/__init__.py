"""Image-attribute models from labels with gaps.

The package is lazy: importing it imports nothing else, so that a stage pays only for what it uses.
"""

__version__ = "0.1.0"
