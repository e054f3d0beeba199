"""Read labels through a source, encode them, split by group, weigh the classes.

In: a label file and the names of the images. Out: the manifest (-1 = unknown) and what was dropped, with reasons.
"""
