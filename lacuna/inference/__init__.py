"""Predict with a finished model, without Keras: runtimes, bundle, predictor, out-of-distribution detection.

In: a bundle and images. Out: probabilities, decisions, and which images are unlike those of training.
"""
