"""The model in MLflow's registry: its versions, each with a bundle, and the alias of the one that serves."""

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.inference.bundle import DESCRIPTION_FILE
from lacuna.inference.registry import BUNDLE_FOLDER, BUNDLE_TAG
from lacuna.io.atomic import sha256
from lacuna.tracking.client import (
    LoggedModelOutput,
    MlflowClient,
    MlflowException,
    ModelVersion,
    download_artifacts,
    save_pyfunc,
)
from lacuna.tracking.content import Model, model_digest
from lacuna.tracking.names import MAX_TAG, mlflow_value
from lacuna.tracking.store import local_path

CHAMPION = "champion"
"""The alias of the version that serves."""

CONTENT_TAG = "lacuna.content"
"""Digest of a run's name, parameters, metrics, history, files and model: what makes two runs the same, or two versions
of a model."""


def register(client: MlflowClient, experiment_id: str, run_id: str, model: Model) -> str:
    """Return the address of a registered version with the model's content and files, which may be a new one."""
    content = model_digest(model)
    found = client.search_model_versions(f"name = '{model.name}' AND tags.`{CONTENT_TAG}` = '{content}'")
    same = [version for version in found if (local_path(version.source) or Path("/")).exists()]
    if not same:
        logged = client.create_logged_model(experiment_id, model.name, source_run_id=run_id)
        try:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch, "model")
                save_pyfunc(folder, model, {"run_id": run_id, "model_id": logged.model_id})
                client.log_model_artifacts(logged.model_id, str(folder))
        except BaseException:
            with contextlib.suppress(MlflowException, OSError):
                client.finalize_logged_model(logged.model_id, "FAILED")
            raise
        client.finalize_logged_model(logged.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        if not client.search_registered_models(f"name = '{model.name}'"):
            client.create_registered_model(model.name)
        source = logged.artifact_location  # models:/ID is sought in MLflow's default
        tags = {CONTENT_TAG: content, BUNDLE_TAG: sha256(model.bundle / DESCRIPTION_FILE)}
        same = [client.create_model_version(model.name, source, run_id, tags=tags, model_id=logged.model_id)]
    return f"models:/{model.name}/{same[0].version}"


def find_version(client: MlflowClient, name: str, bundle: Path) -> ModelVersion | None:
    """The newest version of the model `name` with this very bundle."""
    wanted = f"name = '{name}' AND tags.`{BUNDLE_TAG}` = '{sha256(bundle / DESCRIPTION_FILE)}'"
    return max(client.search_model_versions(wanted), key=lambda version: int(version.version), default=None)


def find_champion(client: MlflowClient, name: str) -> ModelVersion | None:
    """The version that serves now; None before the first promotion."""
    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def fetch_bundle(client: MlflowClient, version: ModelVersion, folder: Path) -> Path:
    """Copy a version's bundle into `folder`; return where it is."""
    uri = f"{version.source}/{BUNDLE_FOLDER}"
    return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=client.tracking_uri))


def crown(client: MlflowClient, version: ModelVersion, former: ModelVersion | None, tags: Mapping[str, str]) -> None:
    """Make a version the champion after `former`, and tag it. Raises LacunaError when another one was made so
    meanwhile."""
    now = find_champion(client, version.name)
    if (now and now.version) != (former and former.version):
        raise LacunaError(f"another version of {version.name} became champion meanwhile; compare with that one")
    for key, value in tags.items():
        client.set_model_version_tag(version.name, version.version, key, mlflow_value(value, MAX_TAG))
    client.set_registered_model_alias(version.name, CHAMPION, version.version)
