"""Decode every image once to the working size, reject what cannot be read, find duplicates.

python -m stages.ingest
"""

from pathlib import Path

from lacuna.config.params import Params
from lacuna.core.files_table import write_files
from lacuna.data.images.collections import open_images
from lacuna.data.images.duplicates import find_duplicates
from lacuna.data.images.find import describe_left_out
from lacuna.data.images.ingest_notes import note_large_group, note_narrow_values
from lacuna.data.images.readers import WorkingForm
from lacuna.data.images.store import write_images
from lacuna.data.images.subset import stratified_sample
from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_folder
from lacuna.io.names import printable
from lacuna.io.sharded_array import open_rows
from lacuna.io.spreadsheets import write_sheet
from stages._run import Facts, cache_folder, open_engine, run


def ingest(params: Params) -> Facts:
    data = params.data
    collection = open_images(data)
    names = collection.names
    if data.max_images:
        names = stratified_sample(names, collection.strata(), data.max_images)
    with atomic_folder(Path("data/images")) as out, open_engine(params) as engine:
        form = WorkingForm(data.image_size, data.resize, data.max_pixels)
        stored = write_images(collection.reader, names, form, out / "pixels", cache_folder(), engine)
        rejected = [f"{printable(name)}: {reason}" for name, reason in stored.rejected]
        for line in rejected:
            print(f"rejected: {line}")
        if not stored.accepted or len(rejected) > data.max_rejected * len(names):
            raise LacunaError(
                f"{data.path}: {len(rejected)} of {len(names)} images are rejected, more than data.max_rejected = "
                f"{data.max_rejected:g} allows; the first: {'; '.join(rejected[:3])}"
            )
        duplicates = find_duplicates(open_rows(out / "pixels"), rms=data.duplicate_rms, workspace=out, executor=engine)
        write_files(out / "files.csv", stored.accepted, duplicates.group, stored.sha256)
        write_sheet(out / "rejected.csv", ("image", "reason"), stored.rejected)
        taken = set(names)
        left_out = [[name] for name in collection.names if name not in taken]
        write_sheet(out / "left_out.csv", ("image",), left_out)

    notes = [
        *describe_left_out(collection.others),
        *note_narrow_values(stored.value_bits),
        *note_large_group(duplicates.largest, len(stored.accepted)),
    ]
    n_others = len(collection.others)
    print(
        f"{len(stored.accepted)} of {len(collection.names)} images, {len(rejected)} rejected, "
        f"{n_others} other files ignored; {duplicates.n_exact} exact and {duplicates.n_near} near duplicates"
    )
    for note in notes:
        print(f"warning: {note}")
    return {
        "images": len(stored.accepted),
        "rejected": len(rejected),
        "left_out": len(left_out),
        "ignored_files": n_others,
        "exact_duplicates": duplicates.n_exact,
        "near_duplicates": duplicates.n_near,
        "largest_group": duplicates.largest,
        "notes": notes,
    }


if __name__ == "__main__":
    run("ingest", ingest)
