"""Both phases of training: the head on frozen features, then the tail; masked losses, optimizers, checkpoints.

In: features, manifest, class weights. Out: weights, history, logits of validation and test.
"""
