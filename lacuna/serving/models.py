"""The models that a service predicts with: loaded bundles, replaced all together, or not at all when a new one is
bad."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.inference.bundle import DESCRIPTION_FILE, read_description
from lacuna.inference.predictor import Predictor
from lacuna.inference.registry import local_bundle
from lacuna.io.atomic import sha256
from lacuna.serving.settings import Settings

logger = logging.getLogger(__name__)

VERSION_DIGITS = 12


@dataclass(frozen=True)
class ServedModel:
    """A loaded bundle.

    `name` is that of its folder, or NAME@ALIAS of one in MLflow's registry, numbered where several share it; `version`
    is the beginning of bundle.json's SHA-256. `keys` has each target's name in answers: its own, or BUNDLE/TARGET where
    another bundle has it too.
    """

    name: str
    version: str
    predictor: Predictor
    keys: dict[str, str]

    @property
    def max_pixels(self) -> int:
        """How many pixels an image may have."""
        return min(member.input.max_pixels for member in self.predictor.bundle.members)


def load_models(settings: Settings) -> tuple[ServedModel, ...]:
    """Load every bundle, of one in MLflow's registry the version that its alias names now.

    Raises LacunaError when one is missing, damaged, or replaced while it is read.
    """
    loaded = [_load(local_bundle(bundle), settings) for bundle in settings.bundles]
    owners = Counter(name for _, predictor in loaded for name in predictor.bundle.targets.names)
    models = []
    for name, (version, predictor) in zip(unique_names(settings.bundles), loaded, strict=True):
        targets = predictor.bundle.targets.names
        keys = {target: f"{name}/{target}" if owners[target] > 1 else target for target in targets}
        models.append(ServedModel(name, version, predictor, keys))
    return tuple(models)


def described(models: Sequence[ServedModel]) -> str:
    """The models in one line: name and version of each."""
    return ", ".join(f"{model.name} {model.version}" for model in models)


def unique_names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, numbered from the second one on where they repeat.

    >>> unique_names([Path("a/bundle"), Path("b/bundle"), Path("pets")])
    ['bundle', 'bundle-2', 'pets']
    """
    names: list[str] = []
    for folder in folders:
        name = folder.resolve().name
        number = 1
        unique = name
        while unique in names:
            number += 1
            unique = f"{name}-{number}"
        names.append(unique)
    return names


def _load(folder: Path, settings: Settings) -> tuple[str, Predictor]:
    predictor = Predictor.load(folder, settings.runtime, min_precision=settings.min_precision)
    version = sha256(folder / DESCRIPTION_FILE)[:VERSION_DIGITS]
    if read_description(folder) != predictor.description:
        raise LacunaError(f"{folder}: was replaced while it was read; try again when the new bundle is complete")
    return version, predictor
