"""Answers that refuse, all of one form: `{"error": {"code", "message"}}`."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

RETRY_AFTER_S = 1


class RefusedError(Exception):
    """A request that is not done. The message says what was wrong, what was expected and what to do.

    `extra` stands beside `error` in the answer.
    """

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

    def response(self) -> JSONResponse:
        return JSONResponse({"error": self.detail(), **self.extra}, self.status, self.headers)


def busy(code: str, reason: str) -> RefusedError:
    """503: not the request's fault, the client should come back."""
    message = f"{reason}; try again in {RETRY_AFTER_S} second"
    return RefusedError(503, code, message, {"Retry-After": str(RETRY_AFTER_S)})
