"""From logits to probabilities and decisions, fitted on validation alone; selective prediction.

In: validation logits and labels. Out: a scaling, a threshold and a certainty per target.
"""
