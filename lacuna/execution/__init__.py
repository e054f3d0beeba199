"""Where work that is cut into pieces is done: in this process, or on the machines of a cluster.

Never what comes out: the same bytes on any engine.
"""
