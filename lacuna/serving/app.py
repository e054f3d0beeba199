"""The routes. Each reads its request within the limits, asks the engine, and answers in JSON."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import lacuna
from lacuna.serving import docs_page, openapi, refusals
from lacuna.serving.answers import (
    BatchAnswer,
    ErrorDetail,
    Example,
    ExplainAnswer,
    Health,
    ImageAnswer,
    ImageError,
    Metadata,
    explain_answer,
    image_answer,
    metadata,
)
from lacuna.serving.connections import Connections
from lacuna.serving.engine import Engine
from lacuna.serving.examples import find_examples
from lacuna.serving.label_studio import LabelStudio, Suggestions, add_label_studio
from lacuna.serving.metrics import CountRequests, ServiceMetrics
from lacuna.serving.models import ServedModel
from lacuna.serving.refusals import RefusedError
from lacuna.serving.security import ApiKey, SecurityHeaders
from lacuna.serving.settings import Settings
from lacuna.serving.uploads import Uploads, is_json

logger = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")
DEFAULT_TOP_K = 3
CLIENT_CLOSED_REQUEST = 499  # nginx's; nobody is there to read it, but the metrics count it

TopK = Annotated[int, Query(ge=1, description="how many labels of each target, most probable first")]
Outcome = TypeVar("Outcome")


class Service(FastAPI):
    """The application. `draining`: no new connections are taken. `engine`: what predicts."""

    draining = False
    engine: Engine


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
        lifespan=_lifespan,
    )
    app.engine = Engine(settings, models, metrics)
    uploads, studio = Uploads(settings.limits), None
    if settings.label_studio_files is not None:
        studio = LabelStudio(settings.label_studio_files, app.engine, uploads, settings.limits)
        add_label_studio(app, studio, uploads)
    _add_predicting(app, settings, uploads, studio)
    _add_describing(app, settings, metrics)
    _add_pages(app, settings.examples)
    _add_errors(app)
    if settings.api_key is not None:  # the first is the innermost
        app.add_middleware(ApiKey, key=settings.api_key)
    app.add_middleware(Connections, draining=lambda: app.draining)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CountRequests, metrics=metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    assert isinstance(app, Service)
    yield
    app.engine.close()


def _add_predicting(app: Service, settings: Settings, uploads: Uploads, studio: LabelStudio | None) -> None:
    limits = settings.limits
    statuses = (400, 401, 408, 413, 415, 503)

    @app.post(
        "/predict",
        summary="What the models say of one image" + (", or of Label Studio's tasks" if studio else ""),
        response_model=ImageAnswer | Suggestions if studio else ImageAnswer,
        response_model_exclude_none=True,
        dependencies=openapi.API_KEY,
        responses=openapi.responses("/predict", *statuses, 422),
        openapi_extra=openapi.form(openapi.FILE_FIELD, openapi.TASKS_FIELDS if studio else None),
    )
    async def predict(request: Request, top_k: TopK = DEFAULT_TOP_K) -> ImageAnswer | Suggestions:
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
        summary="What the models say of many images",
        response_model_exclude_none=True,
        dependencies=openapi.API_KEY,
        responses=openapi.responses("/predict/batch", *statuses, 422),
        openapi_extra=openapi.form(openapi.FILES_FIELD),
    )
    async def predict_batch(request: Request, top_k: TopK = DEFAULT_TOP_K) -> BatchAnswer:
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
        summary="Where in an image a class of a target is seen",
        dependencies=openapi.API_KEY,
        responses=openapi.responses("/explain", *statuses, 501),
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
        summary="Whether the service lives, and takes requests",
        responses={
            **openapi.responses("/health"),
            503: {
                "model": Health,
                "description": "It finishes what it has taken, then ends",
                "content": {"application/json": {"example": {"status": "draining", "live": True, "ready": False}}},
            },
        },
    )
    async def health(response: Response) -> Health:
        if app.draining:
            response.status_code = 503
            return Health(status="draining", live=True, ready=False)
        return Health(status="ok" if settings.label_studio_files is None else "UP", live=True, ready=True)

    @app.get(
        "/metadata",
        summary="What the models are, and how good",
        response_model_exclude_none=True,
        dependencies=openapi.API_KEY,
        responses=openapi.responses("/metadata", 401),
    )
    async def describe() -> Metadata:
        return metadata(app.engine.models, settings.limits, settings.min_precision)

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=PlainTextResponse,
        dependencies=openapi.API_KEY,
        responses=openapi.responses("/metrics", 401),
    )
    async def prometheus_metrics() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_pages(app: Service, examples: Path | None) -> None:
    found = find_examples(examples)

    @app.get(
        "/examples",
        summary="Images to try",
        dependencies=openapi.API_KEY,
        responses=openapi.responses("/examples", 401),
    )
    async def list_examples() -> list[Example]:
        return [Example(name=name, url=f"examples/{quote(name)}") for name in found]

    @app.get(
        "/examples/{name}",
        summary="An image to try",
        response_class=FileResponse,
        dependencies=openapi.API_KEY,
        responses={200: {"content": {"image/*": {}}}, **openapi.responses("/examples/{name}", 401, 404, 422)},
    )
    async def example(name: str) -> FileResponse:
        if name not in found:
            raise HTTPException(404)
        return FileResponse(found[name])

    for path in ("/docs", "/redoc"):
        app.add_api_route(path, lambda: HTMLResponse(docs_page.page(app.openapi())), include_in_schema=False)
    style = Response(docs_page.CSS, media_type="text/css")
    app.add_api_route("/docs.css", lambda: style, include_in_schema=False)
    app.add_api_route("/", lambda: FileResponse(STATIC / "index.html"), include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))


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
