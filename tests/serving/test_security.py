import re

import jsonschema_rs
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
        headers["X-Forwarded-For"] = f"192.0.2.{len(path)}".encode()  # each has few wrong keys
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


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_only_redoc_may_make_styles_and_no_page_asks_another_host(client, path):
    page = client.get(path)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    fetched = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert "static/api/" in page.text
    assert [client.get(address).status_code for address in fetched] == [200] * len(fetched)
    policy = page.headers["content-security-policy"]
    assert ("style-src 'self' 'unsafe-inline'" in policy) == (path == "/redoc")
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy


def answers(description):
    """Every answer in JSON that the description has: the route, the status, and its content."""
    return [
        (f"{method} {path}", status, answer["content"]["application/json"])
        for path, methods in description["paths"].items()
        for method, route in methods.items()
        for status, answer in route["responses"].items()
        if "application/json" in answer.get("content", {})
    ]


def schema_example(schema, schemas):
    """What Swagger UI shows of a schema: its own example, or one made of its members'."""
    if "$ref" in schema:
        return schema_example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if schema.get("type") == "object" and "properties" in schema:
        return {name: schema_example(member, schemas) for name, member in schema["properties"].items()}
    if schema.get("type") == "object":
        return {"a name": schema_example(schema["additionalProperties"], schemas)}
    if schema.get("type") == "array":
        return [schema_example(schema["items"], schemas)]
    if "anyOf" in schema:
        return schema_example(schema["anyOf"][0], schemas)
    return schema.get("const", schema["enum"][0] if "enum" in schema else {"boolean": True}[schema["type"]])


def test_every_answer_in_the_description_has_a_schema_and_an_example_of_it(client):
    description = client.get("/openapi.json").json()
    schemas = description["components"]["schemas"]

    for route, status, content in answers(description):
        example = content.get("example") or schema_example(content["schema"], schemas)
        wanted = {"components": {"schemas": schemas}, **content["schema"]}
        assert jsonschema_rs.Draft202012Validator(wanted).is_valid(example), (route, status)
    assert {route for route, _, _ in answers(description)} >= {"post /predict", "get /metadata", "post /explain"}


def test_the_answer_that_the_description_shows_is_a_real_one(client, picture):
    """It was written down once: all that a service answers today is in it, and nothing more."""
    description = client.get("/openapi.json").json()
    (shown,) = description["components"]["schemas"]["ImageAnswer"]["examples"]
    answered = client.post("/predict", files={"file": picture()}).json()

    assert shown.keys() - {"unfamiliar"} == answered.keys()
    for kind in ("binary", "categorical"):
        one, other = (
            next(target for target in answer["targets"].values() if target["kind"] == kind)
            for answer in (shown, answered)
        )
        assert one.keys() == other.keys()
        assert one["top"][0].keys() == other["top"][0].keys()


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


@pytest.mark.parametrize("part", ["bytes=0-9", "bytes=99999999-", "bytes=9-3", "lines=1-2"])
def test_a_part_of_a_page_s_file_is_answered_by_all_of_it(client, part):
    whole, answer = client.get("/static/page.js"), client.get("/static/page.js", headers={"Range": part})
    assert (answer.status_code, answer.content) == (200, whole.content)
