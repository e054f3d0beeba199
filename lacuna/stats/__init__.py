"""Statistics that know groups: bootstrap, permutation, exact intervals, multiple testing, association.

In: labels, scores and the groups of images. Out: estimates with intervals, p-values.
"""
