"""The routes. Each reads its request within the limits, asks the engine, and answers in JSON."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import lacuna
from lacuna.serving import openapi, refusals
from lacuna.serving.allowed_hosts import AllowedHosts
from lacuna.serving.answers import (
    BatchAnswer,
    ErrorDetail,
    ExplainAnswer,
    Health,
    ImageAnswer,
    ImageError,
    Metadata,
    explain_answer,
    image_answer,
    metadata,
)
from lacuna.serving.api_key import ApiKey, CurrentKey
from lacuna.serving.connections import Connections
from lacuna.serving.engine import Engine
from lacuna.serving.label_studio import LabelStudio, Suggestions, add_label_studio
from lacuna.serving.metrics import CountRequests, ServiceMetrics
from lacuna.serving.models import ServedModel
from lacuna.serving.pages import add_examples, add_pages
from lacuna.serving.refusals import RefusedError
from lacuna.serving.root_path import RootPath
from lacuna.serving.security import SecurityHeaders
from lacuna.serving.settings import Settings
from lacuna.serving.uploads import Uploads, is_json

logger = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499  # nginx's; nobody is there to read it, but the metrics count it

TopK = Annotated[int, Query(ge=1, description="how many labels of each target, most probable first")]
Outcome = TypeVar("Outcome")


class Service(FastAPI):
    """The application. `draining`: no new connections are taken. `engine`: what predicts. `key`: what requests must
    bring."""

    draining = False
    engine: Engine
    key: CurrentKey

    async def reload(self) -> None:
        """Take up the API key and the bundles as they are on the disk now."""
        await asyncio.to_thread(self.key.read_again)
        await self.engine.reload()


def create_app(settings: Settings, models: Sequence[ServedModel]) -> Service:
    """The application over loaded models. Raises LacunaError when the folder of examples holds no image, and when that
    of Label Studio's files is none."""
    metrics = ServiceMetrics()
    app = Service(
        title="Lacuna",
        version=lacuna.__version__,
        description=openapi.API_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name.replace("_", "-"),  # Swagger UI's links take no underscore
        lifespan=_lifespan,
    )
    app.key = CurrentKey(settings)
    app.engine = Engine(settings, models, metrics)
    uploads, studio = Uploads(settings.limits), None
    if settings.label_studio_files is not None:
        studio = LabelStudio(settings.label_studio_files, app.engine, uploads, settings.limits)
        add_label_studio(app, studio, uploads)
    _add_predicting(app, settings, uploads, studio)
    _add_describing(app, settings, metrics)
    add_examples(app, settings)
    add_pages(app, settings)
    _answer_head(app)
    _add_errors(app)
    app.add_middleware(ApiKey, key=app.key)  # the first is the innermost
    app.add_middleware(AllowedHosts, allowed=settings.allowed_hosts)
    app.add_middleware(Connections, draining=lambda: app.draining)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CountRequests, metrics=metrics)
    if settings.root_path:
        app.add_middleware(RootPath, root_path=settings.root_path)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    assert isinstance(app, Service)
    yield
    app.engine.close()


def _add_predicting(app: Service, settings: Settings, uploads: Uploads, studio: LabelStudio | None) -> None:
    limits = settings.limits
    statuses = (400, 401, 408, 413, 415, 429, 503)

    @app.post(
        "/predict",
        tags=[openapi.IMAGE_TAG],
        summary="What the models say of one image" + (", or of Label Studio's tasks" if studio else ""),
        response_model=ImageAnswer | Suggestions if studio else ImageAnswer,
        response_model_exclude_none=True,
        dependencies=openapi.API_KEY,
        responses=openapi.responses(*statuses, 422),
        openapi_extra=openapi.form(openapi.FILE_FIELD, openapi.TASKS_FIELDS if studio else None),
    )
    async def predict(request: Request, top_k: TopK = openapi.DEFAULT_TOP_K) -> ImageAnswer | Suggestions:
        if studio is not None and is_json(request):
            async with uploads.receive_json(request) as content:
                return await _while_connected(request, studio.predict(content))
        async with uploads.receive(request, "file", 1) as form:
            labels = _top_k(form.fields, top_k)
            (prediction,) = await _while_connected(request, app.engine.predict([form.files[0].content]))
            if isinstance(prediction, RefusedError):
                raise prediction
            return image_answer(form.files[0].name, prediction, labels)

    @app.post(
        "/predict/batch",
        tags=[openapi.IMAGE_TAG],
        summary="What the models say of many images",
        response_model_exclude_none=True,
        dependencies=openapi.API_KEY,
        responses=openapi.responses(*statuses, 422),
        openapi_extra=openapi.form(openapi.FILES_FIELD),
    )
    async def predict_batch(request: Request, top_k: TopK = openapi.DEFAULT_TOP_K) -> BatchAnswer:
        """An image that cannot be read has an error in its place and leaves the others as they are."""
        async with uploads.receive(request, "files", limits.images_per_request) as form:
            labels = _top_k(form.fields, top_k)
            predictions = await _while_connected(request, app.engine.predict([file.content for file in form.files]))
            images = [
                ImageError(image=file.name, error=ErrorDetail(**prediction.detail()))
                if isinstance(prediction, RefusedError)
                else image_answer(file.name, prediction, labels)
                for file, prediction in zip(form.files, predictions, strict=True)
            ]
            return BatchAnswer(images=images)

    @app.post(
        "/explain",
        tags=[openapi.IMAGE_TAG],
        summary="Where in an image a class of a target is seen",
        dependencies=openapi.API_KEY,
        responses=openapi.responses(*statuses, 501),
        openapi_extra=openapi.form(openapi.EXPLAIN_FIELDS),
    )
    async def explain(request: Request) -> ExplainAnswer:
        """The class activation map: the mean of its values is the class's score without the head's bias."""
        async with uploads.receive(request, "file", 1) as form:
            file, target = form.files[0], form.fields.get("target")
            if target is None:
                raise refusals.no_target()
            wanted = form.fields.get("class")
            heat_map, overlay = await _while_connected(request, app.engine.explain(file.content, target, wanted))
            return explain_answer(file.name, target, heat_map, overlay)


def _add_describing(app: Service, settings: Settings, metrics: ServiceMetrics) -> None:
    @app.get(
        "/health",
        tags=[openapi.SERVICE_TAG],
        summary="Whether the service lives, and takes requests",
        responses={503: {"model": Health, "description": "It finishes what it has taken, then ends"}},
    )
    async def health(response: Response) -> Health:
        if app.draining:
            response.status_code = 503
            return Health(status="draining", live=True, ready=False)
        return Health(status="ok" if settings.label_studio_files is None else "UP", live=True, ready=True)

    @app.get(
        "/metadata",
        tags=[openapi.SERVICE_TAG],
        summary="What the models are, and how good",
        response_model_exclude_none=True,
        dependencies=openapi.API_KEY,
        responses=openapi.responses(401, 429),
    )
    async def describe() -> Metadata:
        return metadata(app.engine.models, settings.limits, settings.min_precision)

    @app.get(
        "/metrics",
        tags=[openapi.SERVICE_TAG],
        summary="Metrics for Prometheus",
        response_class=Response,
        dependencies=openapi.API_KEY,
        responses={200: openapi.content("text/plain"), **openapi.responses(401, 429)},
    )
    async def prometheus_metrics() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _answer_head(app: FastAPI) -> None:
    """HEAD is answered wherever GET is. The description, which is made before, does not say so of each route."""
    app.openapi()
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods == {"GET"}:
            route.methods.add("HEAD")


def _add_errors(app: Service) -> None:
    @app.exception_handler(RefusedError)
    async def refused(request: Request, refusal: RefusedError) -> JSONResponse:
        return refusal.response()

    @app.exception_handler(HTTPException)
    async def not_routed(request: Request, error: HTTPException) -> JSONResponse:
        path = request.scope["path"][:200]  # not request.url, which a malformed Host header breaks
        if error.status_code == 405:
            return refusals.method_not_allowed(path, request.method, error.headers).response()
        if error.status_code == 404:
            return refusals.not_found(path).response()
        return RefusedError(
            error.status_code, "refused", f"{path}: {error.detail}; see /docs", error.headers
        ).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
        return refusals.invalid_parameter("; ".join(problems)).response()

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return refusals.internal_error().response()


async def _while_connected(request: Request, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The result of `work`. It is cancelled when the client disconnects, and ClientDisconnect is raised."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _top_k(fields: dict[str, str], default: int) -> int:
    """`top_k` of the form, which takes precedence over that of the address."""
    if "top_k" not in fields:
        return default
    text = fields["top_k"]
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= 1):
        raise refusals.invalid_parameter(f"top_k: expected a whole number of at least 1, received {text[:50]!r}")
    return int(text)
