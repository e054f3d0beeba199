"""Search hyper-parameters on the features that are there, judged on validation.

In: `tune.space` of params.yaml. Out: a table of trials, pictures, the best setting as a preset.
"""
