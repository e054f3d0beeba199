"""What decisions rest on: heat maps and their faithfulness, confused classes, slices that are worse.

In: the trained network, validation images and predictions. Out: `plots/explain`, `metrics/explain.json`.
"""
