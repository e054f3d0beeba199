"""Label Studio's protocol for ML backends: it sends tasks, and gets a suggestion for each.

A task names its picture by an address. Only files that Label Studio serves itself, from a folder that this service sees
as well, are opened; no address is ever fetched.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from lacuna.core.targets import Target
from lacuna.errors import LacunaError
from lacuna.io.names import printable
from lacuna.labelling.label_config import Control, default_controls, read_controls
from lacuna.labelling.local_files import local_file_path
from lacuna.labelling.pre_annotations import decided_regions, pre_annotation, version_name
from lacuna.serving import openapi, refusals
from lacuna.serving.engine import Engine
from lacuna.serving.local_folder import LocalFolder
from lacuna.serving.refusals import RefusedError
from lacuna.serving.settings import Limits
from lacuna.serving.uploads import Uploads

PICTURES_AT_ONCE = 8
"""Images of a request that are in memory at the same time."""

SHOWN_CHARACTERS = 200

logger = logging.getLogger(__name__)


class ModelVersion(BaseModel):
    model_version: str = Field(description="changes with the model", examples=["lacuna-3f1c0a9b27de"])


class Versions(BaseModel):
    versions: list[str] = Field(examples=[["lacuna-3f1c0a9b27de"]])


class Suggestion(BaseModel):
    model_version: str
    score: float = Field(ge=0, le=1, description="the lowest probability among the choices")
    result: list[dict[str, Any]] = Field(description="a choice for each target; none where the image cannot be read")


class Suggestions(BaseModel):
    results: list[Suggestion] = Field(description="one per task, in their order")


class LabelStudio:
    """Suggests labels for tasks. `folder`: what Label Studio serves as local files. LacunaError if it is none."""

    def __init__(self, folder: Path, engine: Engine, uploads: Uploads, limits: Limits) -> None:
        self._folder, self._engine, self._uploads, self._limits = LocalFolder(folder), engine, uploads, limits

    @property
    def version(self) -> str:
        return version_name([model.version for model in self._engine.models])

    async def set_up(self, content: Any) -> ModelVersion:
        """What Label Studio asks for when it connects, and before each prediction. The log says what does not fit."""
        config = _member(content, "schema", str, "")
        if config and not await asyncio.to_thread(self._controls, config):
            logger.warning(
                "Label Studio: no choices in the labelling config are named like one of %s", ", ".join(self._targets())
            )
        return ModelVersion(model_version=self.version)

    async def predict(self, content: Any) -> Suggestions:
        """A suggestion for each task, without choices where an image cannot be read.

        Raises RefusedError for what is not as Label Studio sends it, a picture that is no file in the folder, and as
        Engine.predict does.
        """
        tasks = _member(content, "tasks", list, None)
        controls = await asyncio.to_thread(self._controls, _member(content, "label_config", str, ""))
        version = self.version
        paths = [_picture(task, controls) for task in tasks]
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                results = []
                for start in range(0, len(paths), PICTURES_AT_ONCE):
                    results += await self._suggest(paths[start : start + PICTURES_AT_ONCE], controls, version)
        except TimeoutError:
            raise refusals.timed_out(self._limits.timeout_s) from None
        return Suggestions(results=results)

    async def _suggest(self, paths: Sequence[str], controls: Sequence[Control], version: str) -> list[Suggestion]:
        contents = []
        with self._uploads.holding() as hold:
            for path in paths:
                content = await asyncio.to_thread(self._folder.read, path, self._limits.max_upload_bytes)
                hold(len(content))
                contents.append(content)
            predictions = await self._engine.predict(contents)
        suggestions = []
        for path, prediction in zip(paths, predictions, strict=True):
            if isinstance(prediction, RefusedError):
                logger.warning("Label Studio: %s: %s", printable(path)[:SHOWN_CHARACTERS], prediction.message)
                regions = []
            else:
                regions = decided_regions(controls, prediction.targets)
            suggestions.append(Suggestion(**pre_annotation(regions, version)))
        return suggestions

    def _controls(self, config: str) -> list[Control]:
        """The groups of choices in a labelling config that are named like targets; without one, those of an export."""
        targets = self._targets()
        if not config:
            return default_controls({key: list(target.classes) for key, target in targets.items()})
        try:
            return [control for control in read_controls(config) if control.name in targets]
        except LacunaError as error:
            raise refusals.malformed_json(str(error)) from None

    def _targets(self) -> dict[str, Target]:
        return {
            key: model.predictor.bundle.targets[model.predictor.bundle.targets.names.index(name)]
            for model in self._engine.models
            for name, key in model.keys.items()
        }


def add_label_studio(app: FastAPI, studio: LabelStudio, uploads: Uploads) -> None:
    """The routes beside /health and /predict."""
    statuses = (400, 401, 408, 413, 415, 429, 503)

    @app.post(
        "/setup",
        tags=["Label Studio"],
        summary="Label Studio connects",
        dependencies=openapi.API_KEY,
        responses=openapi.responses(*statuses),
        openapi_extra=openapi.form(None, openapi.SETUP_FIELDS),
    )
    async def set_up(request: Request) -> ModelVersion:
        async with uploads.receive_json(request) as content:
            return await studio.set_up(content)

    @app.get(
        "/versions",
        tags=["Label Studio"],
        summary="The models that suggest labels to Label Studio",
        dependencies=openapi.API_KEY,
        responses=openapi.responses(401, 429),
    )
    async def versions() -> Versions:
        return Versions(versions=[studio.version])


def _member(content: Any, key: str, kind: type, otherwise: Any) -> Any:
    """A member of a JSON object. Raises RefusedError for one of another kind, and without it if there is no other."""
    value = content.get(key) if isinstance(content, dict) else None
    value = otherwise if value is None else value
    if not isinstance(value, kind) or not isinstance(content, dict):
        raise refusals.malformed_json(f"expected an object with {key!r}, as Label Studio sends it")
    return value


def _picture(task: Any, controls: Sequence[Control]) -> str:
    """The path of a task's picture below the document root."""
    data = _member(task, "data", dict, None)
    keys = dict.fromkeys(control.image_key for control in controls) or {"image": None}
    addresses: Mapping[str, Any] = {key: data[key] for key in keys if isinstance(data.get(key), str)}
    if len(addresses) != 1:
        raise refusals.malformed_json(f"a task's data have no picture: expected an address in {' or '.join(keys)}")
    (address,) = addresses.values()
    path = local_file_path(address)
    if path is None:
        raise refusals.no_local_file(address)
    return path
