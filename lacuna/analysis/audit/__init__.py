"""What the labels can support: signal, confounds, leaks, label issues, what to label next.

In: features and the manifest without test. Out: `data/audit`, `plots/audit`, `metrics/audit.json`.
"""
