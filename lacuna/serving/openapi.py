"""What /openapi.json says beyond the types: the forms that are sent, and an example of every answer."""

from collections.abc import Mapping
from typing import Any

from lacuna.serving.answers import ErrorAnswer, NotExplainable

DESCRIPTION = """Attributes of images, by models that were trained with Lacuna. Images are sent as multipart forms:

    curl -F file=@cat.jpg http://127.0.0.1:8000/predict

Every error has the form `{"error": {"code", "message"}}`. With status 503 the header Retry-After says when to come
back.
"""

IMAGE = {
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

UNREADABLE = {
    "code": "unreadable_image",
    "message": "not an image of a known format; expected an image (JPEG, PNG, WEBP, GIF, BMP, TIFF, PPM, AVIF) "
    "of at most 50,000,000 pixels",
}

ANSWERS: dict[str, Any] = {
    "/health": {"status": "ok", "live": True, "ready": True},
    "/predict": IMAGE,
    "/predict/batch": {"images": [IMAGE, {"image": "notes.txt", "error": UNREADABLE}]},
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
                "format_version": 2,
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
                "origin": {"versions": {"lacuna": "0.1.0"}},
            }
        ],
        "limits": {"max_upload_bytes": 20000000, "max_batch_images": 64, "max_pixels": 50000000},
        "lacuna": "0.1.0",
    },
    "/examples": [{"name": "1f436.png", "url": "examples/1f436.png"}],
}

ERRORS: dict[int, tuple[str, dict[str, str]]] = {
    400: ("An image, a field or the form is not as expected", UNREADABLE),
    401: (
        "No or another API key, where the service asks for one",
        {"code": "wrong_api_key", "message": "expected the service's API key in the header X-API-Key; …"},
    ),
    404: ("No such thing", {"code": "not_found", "message": "/examples/cat.png: no such address; see /docs"}),
    408: (
        "The upload took too long",
        {
            "code": "upload_too_slow",
            "message": "the upload was not complete after 30 s; send it faster or smaller",
        },
    ),
    413: (
        "Too many bytes or files",
        {
            "code": "upload_too_large",
            "message": "the upload is larger than 20 MB; send a smaller image, or fewer in one request",
        },
    ),
    415: (
        "No multipart form",
        {
            "code": "unsupported_media_type",
            "message": "expected multipart/form-data without compression; send the image as a file, as "
            "`curl -F file=@IMAGE`",
        },
    ),
    422: (
        "A parameter is out of range",
        {"code": "invalid_parameter", "message": "top_k: Input should be greater than or equal to 1"},
    ),
    501: (
        "This model has no heat maps",
        {
            "code": "not_explainable",
            "message": "heat maps need a single network whose head has no hidden layer, and this model has another",
        },
    ),
    503: (
        "Too much to do, or no time left: come back after Retry-After seconds",
        {"code": "queue_full", "message": "the queue of 256 images is full; try again in 1 second"},
    ),
}

TOP_K = {"type": "integer", "minimum": 1, "description": "how many labels of each target, most probable first"}
FILE = {"type": "string", "format": "binary", "description": "an image file"}
FILE_FIELD: dict[str, Any] = {"required": ["file"], "properties": {"file": FILE, "top_k": TOP_K}}
FILES_FIELD: dict[str, Any] = {
    "required": ["files"],
    "properties": {"files": {"type": "array", "items": FILE, "minItems": 1}, "top_k": TOP_K},
}
EXPLAIN_FIELDS: dict[str, Any] = {
    "required": ["file", "target"],
    "properties": {
        "file": FILE,
        "target": {"type": "string", "description": "a target, as /predict names it"},
        "class": {"type": "string", "description": "one of its classes; without it the decided one"},
    },
}


def form(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The request body of a route, for FastAPI's openapi_extra."""
    content = {"multipart/form-data": {"schema": {"type": "object", **fields}}}
    return {"requestBody": {"required": True, "content": content}}


def responses(path: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The example of a route's answer, and its errors with theirs."""
    described: dict[int | str, dict[str, Any]] = {200: _example(ANSWERS[path])} if path in ANSWERS else {}
    for status in statuses:
        description, detail = ERRORS[status]
        extra = {"explainable": False} if status == 501 else {}
        described[status] = {
            "model": NotExplainable if status == 501 else ErrorAnswer,
            "description": description,
            **_example({"error": detail, **extra}),
        }
    if 503 in described:
        retry = {"description": "seconds", "schema": {"type": "integer"}}
        described[503]["headers"] = {"Retry-After": retry}
    return described


def _example(content: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"example": content}}}
