"""The description of the API in /openapi.json beyond the types of the answers: the forms that are sent, and what the
service says when it refuses."""

from collections.abc import Mapping
from typing import Any

from fastapi import Security
from fastapi.security import APIKeyHeader

from lacuna.serving import refusals
from lacuna.serving.answers import ErrorAnswer, NotExplainable
from lacuna.serving.refusals import KEY_HEADER, RefusedError
from lacuna.serving.settings import Limits

API_DESCRIPTION = """Attributes of images, by models that were trained with Lacuna. Images are sent as multipart forms:

    curl -F file=@cat.jpg http://127.0.0.1:8000/predict

Every error has the form `{"error": {"code", "message"}}`. With status 503 and 429 the header Retry-After says when to
come back. A request for a host that the service was not told of gets 421. HEAD is answered wherever GET is.
"""

IMAGE_TAG, SERVICE_TAG = "Images", "Service"
"""The headings that routes stand under."""

RETRY_AFTER = {"description": "seconds", "schema": {"type": "integer"}}

API_KEY = [Security(APIKeyHeader(name=KEY_HEADER, auto_error=False, description="where the service asks for one"))]
"""For the description only: the middleware `ApiKey` checks the key before a route is even found."""

LIMITS = Limits()
MAX_PIXELS = 50_000_000

UNREADABLE = refusals.unreadable_image("not an image of a known format", MAX_PIXELS)

ERRORS: dict[int, tuple[str, RefusedError]] = {
    example.status: (description, example)
    for description, example in (
        ("An image, a field or the form is not as expected", UNREADABLE),
        ("No or another API key, where the service asks for one", refusals.wrong_api_key()),
        ("No such thing", refusals.not_found("/examples/cat.png")),
        ("The upload took too long", refusals.upload_too_slow(LIMITS.timeout_s)),
        ("Too many bytes or files", refusals.upload_too_large(LIMITS.max_upload_bytes)),
        ("No multipart form", refusals.unsupported_media_type()),
        (
            "A parameter is out of range",
            refusals.invalid_parameter("top_k: Input should be greater than or equal to 1"),
        ),
        ("This model has no heat maps", refusals.not_explainable()),
        ("Too many wrong API keys: come back after Retry-After seconds", refusals.too_many_wrong_keys(60)),
        ("Too much to do, or no time left: come back after Retry-After seconds", refusals.queue_full(LIMITS.max_queue)),
    )
}
"""By status: when it is answered, and an example."""

DEFAULT_TOP_K = 3
TOP_K = {
    "type": "integer",
    "minimum": 1,
    "default": DEFAULT_TOP_K,
    "description": "how many labels of each target, most probable first; instead of that in the address",
}
FILE = {"type": "string", "format": "binary", "description": "an image file"}
FILE_FIELD: dict[str, Any] = {"required": ["file"], "properties": {"file": FILE, "top_k": TOP_K}}
FILES_FIELD: dict[str, Any] = {
    "required": ["files"],
    "properties": {"files": {"type": "array", "items": FILE, "minItems": 1}, "top_k": TOP_K},
}
SETUP_FIELDS: dict[str, Any] = {
    "properties": {"schema": {"type": "string", "description": "the labelling config"}, "project": {"type": "string"}}
}
TASKS_FIELDS: dict[str, Any] = {
    "required": ["tasks"],
    "properties": {
        "tasks": {"type": "array", "items": {"type": "object"}, "description": "as Label Studio sends them"},
        "label_config": {"type": "string"},
    },
}
EXPLAIN_FIELDS: dict[str, Any] = {
    "required": ["file", "target"],
    "properties": {
        "file": FILE,
        "target": {"type": "string", "description": "a target, as /predict names it"},
        "class": {"type": "string", "description": "one of its classes; without it the decided one"},
    },
}


def form(fields: Mapping[str, Any] | None, json: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The request body of a route, a form or a JSON object of these members, for FastAPI's openapi_extra."""
    kinds = {"multipart/form-data": fields, "application/json": json}
    content = {kind: {"schema": {"type": "object", **members}} for kind, members in kinds.items() if members}
    return {"requestBody": {"required": True, "content": content}}


def content(kind: str, **schema: str) -> dict[str, Any]:
    """An answer that is no JSON, of a media type."""
    return {"content": {kind: {"schema": {"type": "string", **schema}}}}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, each with an example."""
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        description, refusal = ERRORS[status]
        described[status] = {
            "model": NotExplainable if refusal.extra else ErrorAnswer,
            "description": description,
            "content": {"application/json": {"example": refusal.content()}},
        }
        if "Retry-After" in refusal.headers:
            described[status]["headers"] = {"Retry-After": RETRY_AFTER}
    return described
