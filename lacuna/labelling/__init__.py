"""Labels by hand in Label Studio: what goes out to be labelled, and what comes back.

In: the audit's tables, the bundle's predictions, an export of Label Studio. Out: a project for it, rows of corrections.
"""
