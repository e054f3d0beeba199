"""Under which host names, methods and paths the service answers, and as whom."""

import json
import socket

import pytest

from benchmarks.service_process import running_service
from lacuna.errors import LacunaError
from lacuna.serving.addresses import read_allowed_hosts, read_root_path


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LocalHost.", "127.0.0.1", "127.0.0.1:1", "[::1]", "[0:0::1]:8000"]
)
def test_on_loopback_a_loopback_name_is_answered(client, host):
    assert client.get("/metadata", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost:80:80",
        "[",
        "",
        "localhost@evil.example",
        "localhost/",
        "[::2]",
        "[::1].evil.example",
        "::1",
        "192.0.2.1",
        "localhost evil",
    ],
)
def test_on_loopback_another_name_gets_nothing(client, host):
    for path in ("/", "/docs", "/metadata", "/no-such-page"):
        answer = client.get(path, headers={"Host": host})

        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "unknown_host")
        assert "--allowed-hosts" in answer.json()["error"]["message"]


def test_probes_of_health_may_ask_by_any_name(app_client):
    client = app_client(allowed_hosts=("example.org",))
    assert client.get("/health", headers={"Host": "10.1.2.3:8000"}).status_code == 200


def test_hosts_that_are_allowed_are_names_endings_and_addresses(app_client):
    client = app_client(
        allowed_hosts=read_allowed_hosts(["Example.org", "*.inner.example", "[2001:db8::1]"], "0.0.0.0")
    )

    def status(host):
        return client.get("/metadata", headers={"Host": host}).status_code

    for host in ("example.org", "EXAMPLE.ORG:443", "a.inner.example", "[2001:db8:0::1]:80", "localhost"):
        assert status(host) == 200
    for host in ("a.example.org", "inner.example", "xinner.example", "[2001:db8::2]", "evil.example"):
        assert status(host) == 421


def test_open_to_a_network_any_host_is_allowed_unless_told_otherwise(app_client):
    client = app_client(allowed_hosts=read_allowed_hosts([], "0.0.0.0"))
    assert client.get("/metadata", headers={"Host": "whatever.example"}).status_code == 200
    assert read_allowed_hosts([], "::1") == read_allowed_hosts([], "localhost") == ("localhost", "127.0.0.1", "::1")
    assert read_allowed_hosts([], "192.0.2.1") == ("*",)


@pytest.mark.parametrize("given", ["http://example.org", "example.org:80", "", "a b", "exa*mple.org", "*.*.org"])
def test_what_is_no_host_is_named(given):
    with pytest.raises(LacunaError, match="--allowed-hosts: expected names such as"):
        read_allowed_hosts([given], "0.0.0.0")


@pytest.mark.parametrize("given", ["/a b", "/a?b", "/a/../b", "http://x/a", "/a//b", "/ä"])
def test_what_is_no_root_path_is_named(given):
    with pytest.raises(LacunaError, match="--root-path: expected a path such as /lacuna"):
        read_root_path(given)


@pytest.mark.parametrize("prefix", ["", "/lacuna/inner"])
def test_below_a_root_path_every_route_answers_with_and_without_it(app_client, picture, prefix):
    client = app_client(root_path="/lacuna/inner", api_key="0123456789abcdef")
    for path in ("/", "/docs", "/health", "/static/page.js", "/static/api/redoc/bundles/redoc.standalone.js"):
        assert client.get(prefix + path).status_code == 200, path
    assert client.get(prefix).text == client.get(prefix + "/").text
    assert '<base href="/lacuna/inner/">' in client.get(prefix + "/").text
    assert client.get(prefix + "/metadata").status_code == 401  # no way around the key
    key = {"X-API-Key": "0123456789abcdef"}
    assert client.post(prefix + "/predict", files={"file": picture()}, headers=key).status_code == 200
    assert client.get(prefix + "/openapi.json").json()["servers"] == [{"url": "/lacuna/inner"}]
    assert client.get(prefix + "/no-such", headers=key).status_code == 404
    assert client.get("/lacuna", headers=key).status_code == 404
    counted = client.get("/metrics", headers=key).text
    assert 'route="/static"' in counted
    assert 'route="/predict",status="200"' in counted


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/redoc", "/openapi.json", "/health", "/metadata", "/metrics", "/examples", "/static/page.js"],
)
def test_head_says_of_a_route_what_get_says(client, path):
    got, asked = client.get(path), client.head(path)

    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # which have counted one request more
        assert asked.headers["content-length"] == got.headers["content-length"]
    assert set(client.post(path).headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_head_of_what_only_takes_uploads_is_refused(client):
    assert client.head("/predict").status_code == 405
    assert client.head("/predict").headers["allow"] == "POST"


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET /" + b"x" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\n\n",
    ],
    ids=["no request", "no host", "no header", "endless", "TLS"],
)
def test_what_is_no_http_gets_an_error_like_any_other(service, client, sent):
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(sent)
        received = b""
        while more := connection.recv(65536):
            received += more
    head, _, body = received.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body)["error"]["code"] == "malformed_http"


def test_the_options_reach_the_service_and_tiff_is_taken_where_it_is_told_to(bundle, picture, tmp_path):
    options = ("--root-path", "lacuna/", "--allowed-hosts", "example.org", "--tiff")
    file = {"file": picture((0, 255, 0), kind="TIFF")}
    with running_service(tmp_path, "--bundle", bundle, *options) as service, service.client() as client:
        answer = client.post("/lacuna/predict", files=file, headers={"Host": "example.org"})
        assert answer.json()["targets"]["colour"]["decision"] == "green"
        assert client.get("/metadata", headers={"Host": "evil.example"}).status_code == 421
