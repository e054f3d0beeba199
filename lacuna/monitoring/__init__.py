"""Have new images drifted away from those of training?

In: a bundle's reference and new images. Out: tests per property with corrected p-values, a table and a picture.
"""
