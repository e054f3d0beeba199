"""The simpler models that the trained one has to beat: class shares, neighbours, a probe, a small CNN.

In: pooled features, images, training labels. Out: predictions on validation, by the same schema.
"""
