"""Headers that keep a browser from doing what the page never needs, and the optional API key."""

import hmac
import os
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lacuna.errors import LacunaError
from lacuna.serving.refusals import RefusedError

KEY_VARIABLE = "LACUNA_API_KEY"
MIN_KEY_LENGTH = 16

PUBLIC = frozenset({"/", "/health", "/docs", "/docs.css", "/redoc", "/openapi.json"})
"""What needs no key, beside the page's files: what says nothing of the models and does no work."""

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """Adds HEADERS to every answer; what is not a file of the page is never stored by a browser or proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache" if "etag" in headers else "no-store")
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


class ApiKey:
    """Refuses requests without the key in X-API-Key. The comparison takes the same time however much of it is right."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_public(scope["path"]):
            given = Headers(scope=scope).get("x-api-key", "").encode()
            if not hmac.compare_digest(given, self._key):
                message = "expected the service's API key in the header X-API-Key; ask whoever runs the service for it"
                refusal = RefusedError(401, "wrong_api_key", message, {"WWW-Authenticate": 'ApiKey realm="lacuna"'})
                return await refusal.response()(scope, receive, send)
        return await self._app(scope, receive, send)


def read_api_key(file: Path | None) -> str | None:
    """The key in a file's first line, or in the environment variable; None when there is neither.

    Raises LacunaError when it is too short to be safe from guessing, or has other characters than a header may.
    """
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LacunaError(f"{file}: the API key cannot be read: {error}") from None
    elif KEY_VARIABLE in os.environ:
        key = os.environ[KEY_VARIABLE].strip()
    else:
        return None
    if len(key) < MIN_KEY_LENGTH or not all("!" <= character <= "~" for character in key):
        source = file or KEY_VARIABLE
        raise LacunaError(
            f"{source}: expected an API key of at least {MIN_KEY_LENGTH} printable ASCII characters without spaces; "
            "make one by `openssl rand -hex 32`"
        )
    return key


def _is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith("/static/")
