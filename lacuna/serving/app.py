"""The routes. Each reads its request within the limits, asks the engine, and answers in JSON."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.security import APIKeyHeader
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import lacuna
from lacuna.serving import docs_page, openapi
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
from lacuna.serving.metrics import CountRequests, Metrics
from lacuna.serving.models import Model
from lacuna.serving.refusals import RefusedError
from lacuna.serving.security import ApiKey, SecurityHeaders
from lacuna.serving.settings import Settings
from lacuna.serving.uploads import Uploads

logger = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")
DEFAULT_TOP_K = 3
CLIENT_CLOSED_REQUEST = 499  # nginx's; nobody is there to read it, but the metrics count it

TopK = Annotated[int, Query(ge=1, description="how many labels of each target, most probable first")]
KEY = [Security(APIKeyHeader(name="X-API-Key", auto_error=False, description="where the service asks for one"))]
"""For the description alone: `ApiKey` looks at the key before a route is even found."""

Result = TypeVar("Result")


class Service(FastAPI):
    """The application. `draining` once no new connections are taken; `engine` answers."""

    draining = False
    engine: Engine


def create_app(settings: Settings, models: Sequence[Model]) -> Service:
    """The application over loaded models. Raises LacunaError when the folder of examples holds no image."""
    metrics = Metrics()
    app = Service(
        title="Lacuna",
        version=lacuna.__version__,
        description=openapi.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.engine = Engine(settings, models, metrics)
    _add_predicting(app, settings)
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


def _add_predicting(app: Service, settings: Settings) -> None:
    uploads, limits = Uploads(settings.limits), settings.limits
    refusals = (400, 401, 408, 413, 415, 503)

    @app.post(
        "/predict",
        summary="What the models say of one image",
        response_model_exclude_none=True,
        dependencies=KEY,
        responses=openapi.responses("/predict", *refusals, 422),
        openapi_extra=openapi.form(openapi.FILE_FIELD),
    )
    async def predict(request: Request, top_k: TopK = DEFAULT_TOP_K) -> ImageAnswer:
        async with uploads.receive(request, "file", 1) as form:
            labels = _top_k(form.fields, top_k)
            (said,) = await _while_connected(request, app.engine.predict([form.files[0].content]))
            if isinstance(said, RefusedError):
                raise said
            return image_answer(form.files[0].name, said, labels)

    @app.post(
        "/predict/batch",
        summary="What the models say of many images",
        response_model_exclude_none=True,
        dependencies=KEY,
        responses=openapi.responses("/predict/batch", *refusals, 422),
        openapi_extra=openapi.form(openapi.FILES_FIELD),
    )
    async def predict_batch(request: Request, top_k: TopK = DEFAULT_TOP_K) -> BatchAnswer:
        """An image that cannot be read has an error in its place and leaves the others as they are."""
        async with uploads.receive(request, "files", limits.images_per_request) as form:
            labels = _top_k(form.fields, top_k)
            said = await _while_connected(request, app.engine.predict([file.content for file in form.files]))
            images = [
                ImageError(image=file.name, error=ErrorDetail(**one.detail()))
                if isinstance(one, RefusedError)
                else image_answer(file.name, one, labels)
                for file, one in zip(form.files, said, strict=True)
            ]
            return BatchAnswer(images=images)

    @app.post(
        "/explain",
        summary="Where in an image a class of a target is seen",
        dependencies=KEY,
        responses=openapi.responses("/explain", *refusals, 501),
        openapi_extra=openapi.form(openapi.EXPLAIN_FIELDS),
    )
    async def explain(request: Request) -> ExplainAnswer:
        """The class activation map: the mean of its values is the class's score without the head's bias."""
        async with uploads.receive(request, "file", 1) as form:
            file, target = form.files[0], form.fields.get("target")
            if target is None:
                raise RefusedError(400, "no_target", "the form has no field 'target'; name one that /metadata lists")
            wanted = form.fields.get("class")
            heat_map, overlay = await _while_connected(request, app.engine.explain(file.content, target, wanted))
            return explain_answer(file.name, target, heat_map, overlay)


def _add_describing(app: Service, settings: Settings, metrics: Metrics) -> None:
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
        return Health(status="ok", live=True, ready=True)

    @app.get(
        "/metadata",
        summary="What the models are, and how good",
        response_model_exclude_none=True,
        dependencies=KEY,
        responses=openapi.responses("/metadata", 401),
    )
    async def describe() -> Metadata:
        return metadata(app.engine.models, settings.limits, settings.min_precision)

    @app.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=PlainTextResponse,
        dependencies=KEY,
        responses=openapi.responses("/metrics", 401),
    )
    async def figures() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_pages(app: Service, examples: Path | None) -> None:
    found = find_examples(examples)

    @app.get(
        "/examples",
        summary="Images to try",
        dependencies=KEY,
        responses=openapi.responses("/examples", 401),
    )
    async def list_examples() -> list[Example]:
        return [Example(name=name, url=f"examples/{quote(name)}") for name in found]

    @app.get(
        "/examples/{name}",
        summary="An image to try",
        response_class=FileResponse,
        dependencies=KEY,
        responses={200: {"content": {"image/*": {}}}, **openapi.responses("/examples/{name}", 401, 404, 422)},
    )
    async def example(name: str) -> FileResponse:
        if name not in found:
            raise HTTPException(404)
        return FileResponse(found[name])

    for path in ("/docs", "/redoc"):
        app.add_api_route(path, lambda: HTMLResponse(docs_page.page(app.openapi())), include_in_schema=False)
    style = Response(docs_page.STYLE, media_type="text/css")
    app.add_api_route("/docs.css", lambda: style, include_in_schema=False)
    if (STATIC / "index.html").is_file():
        app.add_api_route("/", lambda: FileResponse(STATIC / "index.html"), include_in_schema=False)
    if STATIC.is_dir():
        app.mount("/static", StaticFiles(directory=STATIC))


def _add_errors(app: Service) -> None:
    @app.exception_handler(RefusedError)
    async def refused(request: Request, refusal: RefusedError) -> JSONResponse:
        return refusal.response()

    @app.exception_handler(HTTPException)
    async def not_routed(request: Request, error: HTTPException) -> JSONResponse:
        code, what = {
            404: ("not_found", "no such address"),
            405: ("method_not_allowed", f"{request.method} is not allowed here"),
        }.get(error.status_code, ("refused", str(error.detail)))
        path = request.scope["path"][:200]  # not request.url, which a malformed Host header breaks
        message = f"{path}: {what}; see /docs"
        return RefusedError(error.status_code, code, message, error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()]
        return RefusedError(422, "invalid_parameter", "; ".join(problems)).response()

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        message = "the service failed; its log says why, and whoever runs it should report that"
        return RefusedError(500, "internal_error", message).response()


async def _while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is given up when the client goes away. Raises ClientDisconnect then."""
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
    """The form's field, which goes before the address's."""
    if "top_k" not in fields:
        return default
    text = fields["top_k"]
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= 1):
        raise RefusedError(
            422, "invalid_parameter", f"top_k: expected a whole number of at least 1, received {text[:50]!r}"
        )
    return int(text)
