import html.parser
import re

import pytest

from benchmarks.service_process import running_service
from lacuna.errors import LacunaError
from lacuna.serving.settings import KEY_VARIABLE, read_api_key

SECRET = "0123456789abcdef-secret"


@pytest.fixture(scope="module")
def guarded(bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "key").write_text(f"{SECRET}\n")
    with running_service(folder, "--bundle", bundle, "--api-key-file", folder / "key") as service:
        yield service


@pytest.mark.parametrize("given", [{}, {"X-API-Key": ""}, {"X-API-Key": SECRET[:-1]}, {"X-API-Key": "\xe4" * 20}])
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain", "/metadata", "/metrics", "/examples", "/x"])
def test_without_the_key_nothing_is_done_or_told(guarded, picture, path, given):
    with guarded.client() as client:
        headers = {name: value.encode("latin-1") for name, value in given.items()}
        method = "POST" if path in ("/predict", "/predict/batch", "/explain") else "GET"
        answer = client.request(method, path, headers=headers, files={"file": picture()} if method == "POST" else None)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "wrong_api_key")
    assert answer.headers["www-authenticate"].startswith("ApiKey")
    assert SECRET not in answer.text


def test_with_the_key_everything_works_and_probes_need_none(guarded, picture):
    with guarded.client() as client:
        headers = {"X-API-Key": SECRET}
        assert client.post("/predict", files={"file": picture()}, headers=headers).status_code == 200
        assert client.get("/metadata", headers=headers).status_code == 200
        assert client.get("/health").json() == {"status": "ok", "live": True, "ready": True}
        assert client.get("/docs").status_code == 200


def test_the_key_is_written_nowhere(guarded):
    from pathlib import Path

    assert SECRET not in guarded.log
    assert SECRET.encode() not in Path(f"/proc/{guarded.process.pid}/cmdline").read_bytes()


def test_the_key_may_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert read_api_key(None) is None
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    assert read_api_key(None) == SECRET


@pytest.mark.parametrize("key", ["", "short", "with spaces in it, long enough", "ümlaut-ümlaut-ümlaut"])
def test_a_key_that_is_easy_to_guess_or_fits_no_header_is_refused(tmp_path, key):
    (tmp_path / "key").write_text(key)
    with pytest.raises(LacunaError, match="at least 16 printable ASCII characters"):
        read_api_key(tmp_path / "key")
    with pytest.raises(LacunaError, match="cannot be read"):
        read_api_key(tmp_path / "none")


@pytest.mark.parametrize("path", ["/health", "/docs", "/metadata", "/no-such-page", "/predict"])
def test_every_answer_has_the_security_headers(client, path):
    headers = client.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy  # no other host
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


class Links(html.parser.HTMLParser):
    """The addresses that a browser would fetch by itself, and inline scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag in ("script", "img", "iframe", "link"):
            self.fetched.append(attributes.get("src") or attributes.get("href") or "")
        if tag in ("style", "script") or "style" in attributes or any(name.startswith("on") for name in attributes):
            self.inline.append(tag)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_shows_every_route_and_asks_no_other_host(client, path):
    page = client.get(path)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    links = Links()
    links.feed(page.text)
    assert (links.fetched, links.inline) == (["docs.css", "static/icon.svg"], [])
    assert client.get("/docs.css").headers["content-type"].startswith("text/css")
    for route in client.get("/openapi.json").json()["paths"]:
        assert f"</span> {route}</h2>" in page.text
    assert "unreadable_image" in page.text  # the examples, of errors too
    assert "top_k" in page.text


def test_every_answer_in_the_description_has_an_example(client):
    description = client.get("/openapi.json").json()

    without = [
        f"{method} {path} {status}"
        for path, methods in description["paths"].items()
        for method, route in methods.items()
        for status, answer in route["responses"].items()
        for kind, content in answer.get("content", {}).items()
        if kind == "application/json" and "example" not in content
    ]
    assert without == []


def test_the_documented_errors_are_what_the_service_says(client):
    from lacuna.serving.openapi import ERRORS

    said = {
        400: client.post("/predict", files={"file": b"text"}),
        404: client.get("/examples/cat.png"),
        415: client.post("/predict", content=b"x"),
        422: client.post("/predict", params={"top_k": 0}),
    }
    for status, answer in said.items():
        example = ERRORS[status][1]
        expected = re.sub(r"50,000,000", "1,000,000", example.message)
        assert answer.json() == {"error": {"code": example.code, "message": expected}}
