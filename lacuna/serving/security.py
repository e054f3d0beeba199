"""Security headers, which keep a browser from doing what the page never needs, and the check of the API key."""

import base64
import hmac

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lacuna.serving.refusals import KEY_HEADER, wrong_api_key

PUBLIC = frozenset({"/", "/health", "/docs", "/docs.css", "/redoc", "/openapi.json"})
"""Paths that need no key, besides the page's files: they tell nothing about the models and do no work."""

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
    """Adds HEADERS to every answer. Browsers and proxies may keep the page's files, and must not store anything
    else."""

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
    """Refuses requests without the key in KEY_HEADER or as the password of basic authentication. The comparison takes
    the same time however much of a key is right."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_public(scope["path"]):
            given = _given_key(Headers(scope=scope))
            if not hmac.compare_digest(given, self._key):
                return await wrong_api_key().response()(scope, receive, send)
        return await self._app(scope, receive, send)


def _given_key(headers: Headers) -> bytes:
    """The key that a request brings. Label Studio has no way to send a header, but a user's name and password."""
    if KEY_HEADER in headers:
        return headers[KEY_HEADER].encode()
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2] if scheme.lower() == "basic" else b""
    except ValueError:
        return b""


def _is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith("/static/")
