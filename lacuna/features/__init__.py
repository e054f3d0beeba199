"""What does not learn, computed once: statistics of the feature map after each stage of the backbone.

In: working images. Out: features of every image and, for fine-tuning, of every view, with its map at the freeze
boundary. The only package that imports Keras and TensorFlow.
"""
