"""What does not learn, computed once: the frozen trunk of the backbone over every image and view.

In: working images. Out: boundary feature maps and clean pooled features. Alone in importing Keras and TensorFlow.
"""
