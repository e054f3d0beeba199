"""Which of the project's images a task is about, told by the end of the address in it."""

import re
from collections import defaultdict
from collections.abc import Iterable

from lacuna.errors import LacunaError
from lacuna.io.names import first_few, with_end
from lacuna.labelling.annotations import Annotation
from lacuna.labelling.local_files import address_parts

UPLOADED = re.compile(r"/data/upload/(?:\d+/)?[0-9a-f]{8}-")
"""How Label Studio renames what is uploaded to it."""


class TaskImages:
    """Finds images by the addresses of tasks.

    names: of all images, by their paths below the folder of images. The longest end of an address that is an image's
    name counts; where there is none, the only image whose name ends like the address.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._endings: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            parts = name.split("/")
            for start in range(1, len(parts)):
                self._endings["/".join(parts[start:])].append(name)
        self._addresses: dict[str, tuple[str, ...]] = {}

    def find(self, annotation: Annotation) -> str | None:
        """The name of the image that an annotation is about, or None.

        Raises LacunaError when its address fits several images, or when another address has led to the same image.
        """
        for address in annotation.addresses:
            parts = tuple(address_parts(UPLOADED.sub("/", address)))
            image = self._longest_end(parts, annotation.task)
            if image is not None:
                if self._addresses.setdefault(image, parts) != parts:
                    both = ", ".join(with_end("/".join(one)) for one in (self._addresses[image], parts))
                    raise LacunaError(
                        f"task {annotation.task}: two addresses end like the image {with_end(image)}: {both}; take "
                        "the tasks that are of other images out of the export"
                    )
                return image
        return None

    def _longest_end(self, parts: tuple[str, ...], task: str) -> str | None:
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        found = next((end for end in ends if end in self._names), None)
        longer = self._endings.get("/".join(parts), [])
        if found is None and len(longer) > 1:
            few = first_few([with_end(name) for name in sorted(longer)[:4]])
            raise LacunaError(
                f"task {task}: {with_end('/'.join(parts))} fits several images: {few}; export "
                "the tasks with `python -m lacuna label-studio export`, which names each by its whole path"
            )
        return found if found is not None else next(iter(longer), None)
