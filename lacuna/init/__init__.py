"""From a folder to the block `data` of params.yaml: what the images and label files are, and why that is thought.

In: a folder, maybe label files. Out: values for params.yaml, read back by the functions that `prepare` uses.
"""
