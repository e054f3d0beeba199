"""What the numbers in README and docs/results.md come from. `python -m benchmarks --help` lists them."""
