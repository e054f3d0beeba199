"""The HTTP service: models behind a JSON API and a page. Start it with `python -m lacuna serve`.

In: bundles, uploaded images. Out: answers, explanations, metrics for Prometheus.
"""
