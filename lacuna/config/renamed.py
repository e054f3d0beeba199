"""Keys of params.yaml that are gone: errors name what to write instead, `python -m lacuna use` writes it."""

RENAMED = {
    "backbone.input_size": "features.sizes",
    "familiarity": "out_of_distribution",
    "finetune.unfreeze_layers": "finetune.unfreeze",
    "tune.figure": "tune.metric",
}
"""Blocks, and dotted keys of blocks, by their old names. A key may have moved to another block."""

BECAME_LISTS = frozenset({"backbone.input_size"})
"""Those keys whose value stands in a list now."""

REMOVED = {"features.batch_size": "images go through the frozen layers one by one"}
"""Dotted keys that nothing took the place of, and why."""
