"""What a browser shows: the page at /, and the API's description by Swagger UI (/docs) and ReDoc (/redoc).

Both come from files of drf-spectacular-sidecar, not from another host, which a service without the internet does not
reach. The package is not imported: it is one for Django, which is not installed.
"""

from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from lacuna.serving import openapi
from lacuna.serving.answers import Example
from lacuna.serving.examples import find_examples, media_type
from lacuna.serving.settings import Settings

STATIC = Path(__file__).with_name("static")
SIDECAR = "drf_spectacular_sidecar"

PAGES = {"/": "index.html", "/docs": "docs.html", "/redoc": "redoc.html"}


def add_pages(app: FastAPI, settings: Settings) -> None:
    """The pages, and the files that they ask for. Addresses in them are relative to that of `/`, which is told to the
    browser where the service has a path of its own: `/lacuna` and `/lacuna/` are the same page."""
    base = f'<head>\n  <base href="{settings.root_path}/">' if settings.root_path else "<head>"
    for path, name in PAGES.items():
        page = HTMLResponse((STATIC / name).read_text(encoding="utf-8").replace("<head>", base))
        app.add_api_route(path, lambda page=page: page, include_in_schema=False)
    app.mount("/static/api", WholeFiles(packages=[(SIDECAR, f"static/{SIDECAR}")]))
    app.mount("/static", WholeFiles(directory=STATIC))


class WholeFiles(StaticFiles):
    """Answers a request for a part of a file by all of it, as HTTP allows: they are small, and where Starlette cannot
    give the part its answer is no JSON."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def add_examples(app: FastAPI, settings: Settings) -> None:
    """The images that the page offers to try. Raises LacunaError as `find_examples` does."""
    found = find_examples(settings.examples, settings.limits.max_upload_bytes)

    @app.get(
        "/examples",
        tags=[openapi.IMAGE_TAG],
        summary="Images to try",
        dependencies=openapi.API_KEY,
        responses=openapi.responses(401, 429),
    )
    async def list_examples() -> list[Example]:
        return [Example(name=name, url=f"examples/{quote(name)}") for name in found]

    @app.get(
        "/examples/{name}",
        tags=[openapi.IMAGE_TAG],
        summary="An image to try",
        response_class=Response,
        dependencies=openapi.API_KEY,
        responses={200: openapi.content("image/*", format="binary"), **openapi.responses(401, 404, 422, 429)},
    )
    async def example(name: str) -> Response:
        if name not in found:
            raise HTTPException(404)
        return Response(found[name], media_type=media_type(name))
