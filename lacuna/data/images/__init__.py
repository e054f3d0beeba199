"""Find, read and decode images; near duplicates; the store that memory maps them.

In: image files. Out: `images.npy` at the working size, `files.csv`, `rejected.csv`.
"""
