"""The stages of dvc.yaml, one module each, run as `python -m stages.NAME` from the project's root."""
