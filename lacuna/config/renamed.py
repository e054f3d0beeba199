"""Keys of params.yaml that have another name now: errors name the new one, `python -m lacuna use` writes it."""

RENAMED = {
    "familiarity": "out_of_distribution",
    "finetune.unfreeze_layers": "finetune.unfreeze",
    "tune.figure": "tune.metric",
}
"""Blocks, and dotted keys of blocks, by their old names. A key stays in its block."""
