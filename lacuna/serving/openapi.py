"""The description of the API in /openapi.json beyond the types: the forms that are sent, and an example of every
answer."""

from collections.abc import Mapping
from typing import Any

from fastapi import Security
from fastapi.security import APIKeyHeader

import lacuna
from lacuna.inference.bundle import BUNDLE_FORMAT
from lacuna.serving import refusals
from lacuna.serving.answers import ErrorAnswer, NotExplainable
from lacuna.serving.refusals import KEY_HEADER, RefusedError
from lacuna.serving.settings import Limits

API_DESCRIPTION = """Attributes of images, by models that were trained with Lacuna. Images are sent as multipart forms:

    curl -F file=@cat.jpg http://127.0.0.1:8000/predict

Every error has the form `{"error": {"code", "message"}}`. With status 503 the header Retry-After says when to come
back.
"""

IMAGE_ANSWER = {
    "image": "1f436.png",
    "models": ["bundle"],
    "targets": {
        "category": {
            "kind": "categorical",
            "decision": "nature",
            "probability": 0.58,
            "top": [
                {"label": "nature", "confidence": 0.58},
                {"label": "people", "confidence": 0.25},
                {"label": "food", "confidence": 0.07},
            ],
        },
        "animal": {
            "kind": "binary",
            "decision": "present",
            "probability": 0.68,
            "threshold": 0.3,
            "top": [{"label": "present", "confidence": 0.68}, {"label": "absent", "confidence": 0.32}],
        },
    },
}

API_KEY = [Security(APIKeyHeader(name=KEY_HEADER, auto_error=False, description="where the service asks for one"))]
"""For the description only: the middleware `ApiKey` checks the key before a route is even found."""

LIMITS = Limits()
MAX_PIXELS = 50_000_000

UNREADABLE = refusals.unreadable_image("not an image of a known format", MAX_PIXELS)

ANSWERS: dict[str, Any] = {
    "/health": {"status": "ok", "live": True, "ready": True},
    "/predict": IMAGE_ANSWER,
    "/predict/batch": {"images": [IMAGE_ANSWER, {"image": "notes.txt", "error": UNREADABLE.detail()}]},
    "/explain": {
        "image": "1f436.png",
        "target": "animal",
        "class": "present",
        "probability": 0.68,
        "heat_map": {"height": 2, "width": 2, "values": [[1.2, 0.4], [-0.1, 0.7]]},
        "overlay": "data:image/png;base64,iVBORw0KGgo=",
    },
    "/metadata": {
        "models": [
            {
                "name": "bundle",
                "version": "3f1c0a9b27de",
                "format_version": BUNDLE_FORMAT,
                "explainable": True,
                "targets": {
                    "category": {"kind": "categorical", "classes": ["nature", "people", "food"], "rule": "argmax"},
                    "animal": {
                        "kind": "binary",
                        "classes": ["absent", "present"],
                        "rule": "expected_f1",
                        "threshold": 0.3,
                    },
                },
                "metrics": {"targets": {"animal": {"f1": 0.71, "f1_low": 0.58, "f1_high": 0.81}}},
                "origin": {"versions": {"lacuna": lacuna.__version__}},
            }
        ],
        "limits": {
            "max_upload_bytes": LIMITS.max_upload_bytes,
            "max_batch_images": LIMITS.images_per_request,
            "max_pixels": MAX_PIXELS,
        },
        "lacuna": lacuna.__version__,
    },
    "/setup": {"model_version": "lacuna-3f1c0a9b27de"},
    "/versions": {"versions": ["lacuna-3f1c0a9b27de"]},
    "/examples": [{"name": "1f436.png", "url": "examples/1f436.png"}],
}

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
        ("Too much to do, or no time left: come back after Retry-After seconds", refusals.queue_full(LIMITS.max_queue)),
    )
}
"""By status: when it is answered, and an example."""

TOP_K = {"type": "integer", "minimum": 1, "description": "how many labels of each target, most probable first"}
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


def responses(path: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The example of a route's answer, and its errors with theirs."""
    described: dict[int | str, dict[str, Any]] = {200: _example(ANSWERS[path])} if path in ANSWERS else {}
    for status in statuses:
        description, refusal = ERRORS[status]
        described[status] = {
            "model": NotExplainable if refusal.extra else ErrorAnswer,
            "description": description,
            **_example(refusal.content()),
        }
    if 503 in described:
        retry = {"description": "seconds", "schema": {"type": "integer"}}
        described[503]["headers"] = {"Retry-After": retry}
    return described


def _example(content: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"example": content}}}
