"""From files to arrays and tables: the embedded sample, downloads, images, labels.

In: the user's image folder and label file. Out: working images, the manifest, class weights.
"""
