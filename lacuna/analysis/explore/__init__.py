"""Counts, gaps, associations, pixels and oddities of images and labels, before anything is learned.

In: working images and the manifest without test. Out: `plots/explore`, `metrics/explore.json`.
"""
