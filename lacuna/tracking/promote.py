"""Promote a new bundle to champion: the alias moves where a paired comparison on held-out images says so."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lacuna.config.blocks import Evaluate
from lacuna.errors import LacunaError
from lacuna.evaluation.promotion import FinishedModel, Promotion, compare_held_out
from lacuna.inference.bundle import read_bundle, read_predictions, read_seen_images
from lacuna.tracking.client import is_own_store, open_store
from lacuna.tracking.registry import CHAMPION, crown, fetch_bundle, find_champion, find_version
from lacuna.tracking.store import DATABASE

PROMOTION_TAG = "lacuna.promotion"
"""Why a version became champion: `first`, `better` or `forced`."""

REASON_TAG = "lacuna.promotion.reason"
"""Whose place it took, and what the comparison said."""


@dataclass(frozen=True)
class Promoted:
    """Whether the version is champion now, and what there is to say of it."""

    is_champion: bool
    said: str


def promote_bundle(bundle: Path, name: str, evaluate: Evaluate, *, root: Path, force: bool) -> Promoted:
    """Move the alias `champion` of the registered model `name` to the version with this bundle: where it is better in
    one target at least and worse in none, where there is no champion yet, or where `force` says so.

    The registry is that of `open_store`. Raises LacunaError when the bundle is not registered and, without `force`,
    when the two cannot be compared.
    """
    model = read_finished(bundle)
    unregistered = LacunaError(
        f"{bundle}: no version of the model {name} in MLflow's registry has this bundle; run `dvc repro track`"
    )
    if is_own_store(root) and not (root / DATABASE).exists():  # opening it would make an empty one
        raise unregistered
    with open_store(root) as (client, _):
        version = find_version(client, name, bundle)
        if version is None:
            raise unregistered
        former = find_champion(client, name)
        if former is not None and former.version == version.version:
            return Promoted(True, f"version {version.version} of {name} is the champion already")
        if former is None:
            why, said = "first", "no champion before"
        else:
            with TemporaryDirectory() as folder:
                why, said = _compare(fetch_bundle(client, former, Path(folder)), model, evaluate, force)
            said = f"champion: version {former.version}\n{said}"
        if not why:
            advice = "--force moves it all the same"
            return Promoted(False, f"{said}\nversion {version.version} does not take its place; {advice}")
        crown(client, version, former, {PROMOTION_TAG: why, REASON_TAG: said})
        return Promoted(True, f"{said}\nversion {version.version} of {name} is {CHAMPION} now ({why})")


def read_finished(bundle: Path) -> FinishedModel:
    """What a bundle tells of its model. Raises LacunaError when it is not whole or does not tell enough."""
    content, seen = read_bundle(bundle, "openvino"), read_seen_images(bundle)
    test = read_predictions(bundle)["test"]
    if len(seen.test) != len(test):
        raise LacunaError(f"{bundle}: tells of {len(seen.test)} test images and predicts {len(test)}")
    return FinishedModel(content.targets, content.calibration, test, seen.test, seen.learned)


def _compare(former: Path, model: FinishedModel, evaluate: Evaluate, force: bool) -> tuple[str, str]:
    """Why the model takes the former one's place, "" where it does not, and what the comparison says."""
    try:
        judged: Promotion = compare_held_out(read_finished(former), model, evaluate)
    except LacunaError as error:
        if not force:
            raise LacunaError(f"cannot be compared with the champion: {error}; or --force") from None
        return "forced", f"not compared: {error}"
    if judged.promotes:
        return "better", judged.describe()
    return ("forced" if force else ""), judged.describe()
