"""Metrics with intervals beside trivial baselines, verdicts, comparisons, confusion.

In: predictions and calibration. Out: the metrics files, tables and pictures of stage evaluate.
"""
