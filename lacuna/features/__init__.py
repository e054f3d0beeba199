"""What does not learn, computed once: the frozen trunk of the backbone over every image and view.

In: working images. Out: boundary feature maps and pooled features of every view. The only package that imports Keras
and TensorFlow.
"""
