"""A driver of its own process that does what `ingest` does, in small shards, and can be stopped in the middle of one.

It is put into a folder of its own, where the workers' processes find it too.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lacuna.data.images import cuts
from lacuna.data.images.duplicates import find_duplicates
from lacuna.data.images.readers import FolderReader, Picture, WorkingForm
from lacuna.data.images.store import write_images
from lacuna.execution.executor import open_executor
from lacuna.io.sharded_array import open_rows


@dataclass(frozen=True)
class StoppingReader(FolderReader):
    """Where there is a folder `stopped`, notes there which process reads, and waits until the folder is gone."""

    def pictures(self, digests: Mapping[str, str], form: WorkingForm) -> Iterator[Picture]:
        pictures = list(super().pictures(digests, form))
        stopped = Path("stopped")
        if stopped.is_dir() and list(Path("kept").rglob("receipt.json")):
            (stopped / str(os.getpid())).touch()
        while stopped.is_dir() and (stopped / str(os.getpid())).exists():
            time.sleep(0.02)
        yield from pictures


def main(engine: str, address: str, workers: str, out: str) -> None:
    """Make the images of `photos` in the folder `out`, with shards kept in `kept`."""
    cuts.FEWEST, cuts.MOST, cuts.ENDS = 4, 8, 8
    folder, names = Path(out), sorted(path.name for path in Path("photos").iterdir())
    folder.mkdir()
    with open_executor(engine, address, int(workers)) as executor:
        form = WorkingForm(40, "stretch", 10_000)
        stored = write_images(StoppingReader(Path("photos")), names, form, folder / "pixels", Path("kept"), executor)
        found = find_duplicates(open_rows(folder / "pixels"), rms=0.02, workspace=folder, executor=executor)
    content = [stored.accepted, stored.sha256, stored.rejected, found.group.tolist(), found.n_near]
    (folder / "found.json").write_text(json.dumps(content))


if __name__ == "__main__":
    main(*sys.argv[1:])
