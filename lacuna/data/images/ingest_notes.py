"""What a person should know of the images that ingest took and left, in warnings."""

from collections.abc import Mapping, Sequence

from lacuna.data.images.decode import VALUE_BITS
from lacuna.io.names import first_few

LARGE_GROUP = 0.02
SMALLEST_LARGE_GROUP = 10


def note_large_group(largest: int, n: int) -> list[str]:
    """That one group of duplicates holds a large share of the `n` images, if it does."""
    if largest <= max(LARGE_GROUP * n, SMALLEST_LARGE_GROUP - 1):
        return []
    return [
        f"{largest} of {n} images form one group of duplicates, which stays in one split; "
        "if they are not duplicates, lower data.duplicate_rms"
    ]


def note_narrow_values(value_bits: Mapping[int, Sequence[str]]) -> list[str]:
    """That grey images with 16 bits per pixel use only 8 or 12 of them and are made brighter accordingly.

    value_bits: the names of all grey images with 16 bits per pixel, by how many bits their values use.
    """
    n = sum(map(len, value_bits.values()))
    notes = []
    for bits in VALUE_BITS[:-1]:
        if names := value_bits.get(bits, ()):
            others = f"; the other {n - len(names)} are not, so their brightness does not compare" * (len(names) < n)
            notes.append(
                f"{len(names)} of {n} 16-bit grey images hold no value above {2**bits - 1} and are taken for "
                f"{bits}-bit images, whose white that is ({first_few(names)}){others}; those that are truly so dark: "
                "save them with 8 bits"
            )
    return notes
