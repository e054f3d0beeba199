"""What every stage speaks of: targets, labels, the manifest, predictions, groups, relations, scores.

Kept small, because an edit here re-runs nearly every stage.
"""
