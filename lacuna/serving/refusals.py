"""Every refusal of the service, all of one form: `{"error": {"code", "message"}}`.

A code stays the same for programs; a message says what was wrong, what was expected and what to do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from lacuna.data.images.formats import UPLOAD_FORMATS
from lacuna.serving.settings import MEGABYTE

RETRY_AFTER_S = 1
KEY_HEADER = "X-API-Key"


class RefusedError(Exception):
    """A request that is not done: the answer's status, code and message. `extra` stands beside `error` in the
    answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers, self.extra = dict(headers or {}), dict(extra or {})

    def detail(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}

    def content(self) -> dict[str, Any]:
        return {"error": self.detail(), **self.extra}

    def response(self) -> JSONResponse:
        return JSONResponse(self.content(), self.status, self.headers)


def malformed_form(reason: str) -> RefusedError:
    message = f"the multipart form cannot be read: {reason}; send it as `curl -F` or a browser's FormData do"
    return RefusedError(400, "malformed_form", message)


def no_file(field: str) -> RefusedError:
    message = f"the form has no file in the field {field!r}; send it as `curl -F {field}=@IMAGE`"
    return RefusedError(400, "no_file", message)


def malformed_json(reason: str) -> RefusedError:
    return RefusedError(400, "malformed_json", f"the request cannot be read: {reason}")


def no_local_file(address: str) -> RefusedError:
    message = (
        f"{address[:200]!r}: expected a picture that Label Studio serves from --label-studio-files, with an address "
        "such as /data/local-files/?d=photos/1.jpg; this service fetches nothing, and reads nothing outside that folder"
    )
    return RefusedError(400, "no_local_file", message)


def unreadable_image(reason: str, max_pixels: int, formats: Sequence[str] = UPLOAD_FORMATS) -> RefusedError:
    message = f"{reason}; expected an image ({', '.join(formats)}) of at most {max_pixels:,} pixels"
    return RefusedError(400, "unreadable_image", message)


def no_target() -> RefusedError:
    return RefusedError(400, "no_target", "the form has no field 'target'; name one that /metadata lists")


def unknown_target(target: str, known: Sequence[str]) -> RefusedError:
    return RefusedError(400, "unknown_target", f"target {target[:100]!r}: expected one of {', '.join(known)}")


def unknown_class(class_name: str, target: str, known: Sequence[str]) -> RefusedError:
    message = f"class {class_name[:100]!r} of {target}: expected one of {', '.join(known)}"
    return RefusedError(400, "unknown_class", message)


def wrong_api_key() -> RefusedError:
    message = (
        f"expected the service's API key in the header {KEY_HEADER} or as the password of basic authentication; ask "
        "whoever runs the service for it"
    )
    return RefusedError(401, "wrong_api_key", message, {"WWW-Authenticate": 'ApiKey realm="lacuna"'})


def too_many_wrong_keys(seconds: int) -> RefusedError:
    message = f"too many wrong API keys from your address; only the right one is answered in the next {seconds} s"
    return RefusedError(429, "too_many_wrong_keys", message, {"Retry-After": str(seconds)})


def unknown_host(host: str) -> RefusedError:
    message = (
        f"host {host[:100]!r}: not a name of this service; ask by one of those that it was started with in "
        "--allowed-hosts, or by localhost"
    )
    return RefusedError(421, "unknown_host", message)


def malformed_http() -> RefusedError:
    return RefusedError(400, "malformed_http", "not a request of HTTP/1.1; see /docs")


def not_found(path: str) -> RefusedError:
    return RefusedError(404, "not_found", f"{path}: no such address; see /docs")


def method_not_allowed(path: str, method: str, headers: Mapping[str, str] | None) -> RefusedError:
    return RefusedError(405, "method_not_allowed", f"{path}: {method} is not allowed here; see /docs", headers)


def upload_too_slow(seconds: float) -> RefusedError:
    message = f"the upload was not complete after {seconds:g} s; send it faster or smaller"
    return RefusedError(408, "upload_too_slow", message)


def upload_too_large(max_bytes: int) -> RefusedError:
    megabytes = max_bytes / MEGABYTE
    message = f"the upload is larger than {megabytes:g} MB; send a smaller image, or fewer in one request"
    return RefusedError(413, "upload_too_large", message)


def too_many_files(max_files: int) -> RefusedError:
    message = f"expected at most {max_files} file{'s' * (max_files > 1)}; send fewer in one request"
    return RefusedError(413, "too_many_files", message)


def unsupported_media_type() -> RefusedError:
    message = "expected multipart/form-data without compression; send the image as a file, as `curl -F file=@IMAGE`"
    return RefusedError(415, "unsupported_media_type", message)


def no_json() -> RefusedError:
    return RefusedError(415, "unsupported_media_type", "expected application/json without compression")


def invalid_parameter(problem: str) -> RefusedError:
    return RefusedError(422, "invalid_parameter", problem)


def internal_error() -> RefusedError:
    message = "the service failed; its log says why, and whoever runs it should report that"
    return RefusedError(500, "internal_error", message)


def not_explainable() -> RefusedError:
    message = "heat maps need a single network with feature maps whose head has no hidden layer; this model has another"
    return RefusedError(501, "not_explainable", message, extra={"explainable": False})


def queue_full(capacity: int) -> RefusedError:
    return _busy("queue_full", f"the queue of {capacity} images is full")


def too_many_uploads() -> RefusedError:
    return _busy("busy", "too many uploads at once")


def too_many_connections(limit: int) -> RefusedError:
    return _busy("busy", f"each of {limit} connections has a request under way")


def timed_out(seconds: float) -> RefusedError:
    return _busy("timed_out", f"no answer within {seconds:g} s")


def _busy(code: str, reason: str) -> RefusedError:
    """503: the request is right, and may succeed when it is sent again."""
    message = f"{reason}; try again in {RETRY_AFTER_S} second"
    return RefusedError(503, code, message, {"Retry-After": str(RETRY_AFTER_S)})
