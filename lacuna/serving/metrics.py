"""The metrics for Prometheus: requests, latencies, the queue, and images that could not be read."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lacuna.serving.root_path import inner_path

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)


class ServiceMetrics:
    """A service's metrics, and those of its process."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self._registry = own
        self.requests = Counter("lacuna_requests", "Requests answered", ("route", "method", "status"), registry=own)
        self.seconds = Histogram(
            "lacuna_request_seconds",
            "From a request's headers to its answer",
            ("route",),
            buckets=SECONDS,
            registry=own,
        )
        self.queue = Gauge("lacuna_queue_images", "Images decoded or waiting", registry=own)
        self.unreadable = Counter("lacuna_unreadable_images", "Images that could not be read", registry=own)
        self.reloads = Counter("lacuna_reloads", "Bundles taken up on SIGHUP", ("result",), registry=own)
        ProcessCollector(registry=own)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class CountRequests:
    """Counts and times every request by its route, never by its path: clients could make up any number of paths."""

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, answered = 500, 0.0
        start = time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter()
            await send(message)

        try:
            return await self._app(scope, receive, sending)
        finally:
            route = _route(scope)
            self._metrics.requests.labels(route, _method(scope), str(status)).inc()
            self._metrics.seconds.labels(route).observe((answered or time.perf_counter()) - start)


def _route(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return str(path)
    return "/static" if inner_path(scope).startswith("/static/") else "unknown"


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
