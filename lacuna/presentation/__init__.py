"""How results look: the style of all pictures, numbers as text, thumbnails, heat maps over images.

In: numbers and pixels. Out: charts, text, pixels.
"""
