"""The path below which a proxy offers the service, as in https://example.org/lacuna/."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """Finds the routes whether the proxy strips the path from addresses or leaves it there. As ASGI has it, `root_path`
    says what it is, and `path` begins with it."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path == self._root_path or path.startswith(self._root_path + "/"):
                path = path.removeprefix(self._root_path)
            scope = {**scope, "root_path": self._root_path, "path": self._root_path + (path or "/")}
        return await self._app(scope, receive, send)


def inner_path(scope: Scope) -> str:
    """A request's path without the service's own. (Where files are mounted, `root_path` grows by the mount's.)"""
    root_path: str = scope.get("app_root_path", scope.get("root_path", ""))
    path: str = scope["path"]
    return path.removeprefix(root_path)
