"""Images from the web: which address, over which connection, how often, and where each is put.

In: a list or table of URLs. Out: image files under names by which a label file's URLs find them.
"""
