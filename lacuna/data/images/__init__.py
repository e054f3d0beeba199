"""Find, read and decode images; near duplicates; the store that memory maps them.

In: image files. Out: `pixels/` at the working size, in shards, `files.csv`, `rejected.csv`.
"""
