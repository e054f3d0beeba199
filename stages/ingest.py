"""Decode every image once to the working size, reject what cannot be read, find duplicates.

python -m stages.ingest
"""

from pathlib import Path

import numpy as np

from lacuna.config.params import Params
from lacuna.core.working_image import Origin
from lacuna.data.images.collections import open_images, printable
from lacuna.data.images.duplicates import find_duplicates
from lacuna.data.images.store import write_images
from lacuna.data.images.subset import stratified_sample
from lacuna.errors import LacunaError
from lacuna.io.atomic import whole_folder
from lacuna.io.csv_files import write_csv
from stages._run import Facts, run

LARGE_GROUP = 0.02
SMALLEST_LARGE_GROUP = 10


def ingest(params: Params) -> Facts:
    data = params.data
    collection = open_images(data)
    names = collection.names
    if data.max_images:
        names = stratified_sample(names, collection.strata(), data.max_images)
    with whole_folder(Path("data/images")) as out:
        pictures = collection.decode(names, data.image_size, data.resize, data.max_pixels)
        accepted, rejected = write_images(pictures, len(names), out / "images.npy", size=data.image_size)
        for name, reason in rejected:
            print(f"rejected: {name}: {reason}")
        if not accepted or len(rejected) > data.max_rejected * len(names):
            raise LacunaError(
                f"{data.path}: {len(rejected)} of {len(names)} images are rejected, more than data.max_rejected = "
                f"{data.max_rejected:g} allows; the first: {'; '.join(map(': '.join, rejected[:3]))}"
            )
        images = np.load(out / "images.npy", mmap_mode="r")
        duplicates = find_duplicates(images, rms=data.duplicate_rms, workspace=out)
        lines = enumerate(zip(accepted.items(), duplicates.group.tolist(), strict=True))
        write_csv(
            out / "files.csv",
            ("image", "row", "group", *Origin._fields),
            ((name, row, group, *origin) for row, ((name, origin), group) in lines),
        )
        write_csv(out / "rejected.csv", ("image", "reason"), rejected)
        taken = set(names)
        left_out = [[printable(name)] for name in collection.names if name not in taken]
        write_csv(out / "left_out.csv", ("image",), left_out)

    notes = []
    if duplicates.largest > max(LARGE_GROUP * len(accepted), SMALLEST_LARGE_GROUP - 1):
        notes.append(
            f"{duplicates.largest} of {len(accepted)} images form one group of duplicates, which stays in one split; "
            "if they are not duplicates, lower data.duplicate_rms"
        )
    print(
        f"{len(accepted)} of {len(collection.names)} images, {len(rejected)} rejected, "
        f"{collection.n_other} other files ignored; {duplicates.n_exact} exact and {duplicates.n_near} near duplicates"
    )
    for note in notes:
        print(f"warning: {note}")
    return {
        "images": len(accepted),
        "rejected": len(rejected),
        "left_out": len(left_out),
        "ignored_files": collection.n_other,
        "exact_duplicates": duplicates.n_exact,
        "near_duplicates": duplicates.n_near,
        "largest_group": duplicates.largest,
        "notes": notes,
    }


if __name__ == "__main__":
    run("ingest", ingest)
