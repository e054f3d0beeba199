"""The model card of a bundle: what the model is, for people."""
