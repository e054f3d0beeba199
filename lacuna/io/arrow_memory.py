"""Arrow's memory, which is not Python's."""

import pyarrow as pa


def give_back() -> None:
    """Give what Arrow no longer uses back to the system: it keeps, for itself alone, what reading or a join took."""
    pa.default_memory_pool().release_unused()
