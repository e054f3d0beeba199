"""One page about everything found, and the model card.

In: the metrics files and pictures of other stages. Out: `plots/report.html`, the bundle's card.
"""
