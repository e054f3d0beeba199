"""Files and the terminal: atomic writes, CSV, progress, times, the machine.

In and out: paths and plain values; knows nothing of images or labels.
"""
