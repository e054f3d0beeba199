"""MLflow: the finished pipeline as a run with a child per training phase, and its registered model.

In: DVC's own files. Out: runs in the MLflow store; nothing here changes a result.
"""
