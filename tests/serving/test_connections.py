"""Clients that hold connections: silent, slow to speak, slow to read, and too many."""

import asyncio
import json
import logging
import resource
import socket
import subprocess

import pytest

from benchmarks.service_process import PATIENCE_S, REPOSITORY, command, running_service
from lacuna.serving import log as log_module
from lacuna.serving import protocol
from lacuna.serving.log import LINES, Ration


async def serve_protocol(limit, app, scenario):
    """Run `scenario(port)` against an application behind BoundedProtocol with room for `limit` connections."""
    import uvicorn
    from uvicorn.server import ServerState

    room, state = protocol.Room(limit), ServerState()
    config = uvicorn.Config(app, log_config=None, timeout_keep_alive=1)
    config.load()

    def connection():
        return protocol.BoundedProtocol(room, config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    async with server:
        try:
            await asyncio.wait_for(scenario(server.sockets[0].getsockname()[1]), PATIENCE_S)
        finally:
            for writer in OPENED:
                writer.transport.abort()
            OPENED.clear()
            await asyncio.sleep(0.1)  # both sides see it
    return room


async def says_hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


OPENED = []


async def connect(port, **options):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    OPENED.append(writer)
    return reader, writer


async def ask(port):
    reader, writer = await connect(port)
    writer.write(GET)
    head = await reader.readuntil(b"\r\n\r\n")
    return head, reader, writer


async def is_cut_off(reader, within=PATIENCE_S):
    """Whether the other side ends or resets a connection, of which nothing is left to read."""
    try:
        return await asyncio.wait_for(reader.read(1), within) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_a_silent_connection_and_half_a_head_are_cut_off_in_time(monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)

    async def scenario(port):
        for said in (b"", b"GET / HTTP/1.1\r\nhost:"):
            reader, writer = await connect(port)
            writer.write(said)
            assert await is_cut_off(reader)
        head, reader, writer = await ask(port)
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(5) == b"hello"
        writer.write(GET[:10])  # the next head stops half way
        assert await is_cut_off(reader)

    assert asyncio.run(serve_protocol(10, says_hello, scenario)).waiting == {}


def test_where_all_connections_are_silent_the_one_that_waited_longest_makes_room():
    async def scenario(port):
        silent = [await connect(port) for _ in range(4)]
        await asyncio.sleep(0.1)
        for _ in range(3):
            head, _, _ = await ask(port)
            assert head.startswith(b"HTTP/1.1 200")
        ended = [await is_cut_off(reader, 0.2) for reader, _ in silent]
        assert ended == [True, True, True, False]

    asyncio.run(serve_protocol(4, says_hello, scenario))


def test_a_request_under_way_is_never_cut_off_for_another_client():
    async def scenario(port):
        go = asyncio.Event()
        busy = [asyncio.create_task(ask(port)) for _ in range(2)]
        while len(started) < 2:
            await asyncio.sleep(0.01)
        head, reader, _ = await ask(port)
        assert head.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 1" in head
        assert json.loads(await reader.read())["error"]["code"] == "busy"
        go.set()
        released.set()
        for task in busy:
            assert (await task)[0].startswith(b"HTTP/1.1 200")
        assert (await ask(port))[0].startswith(b"HTTP/1.1 200")

    started, released = [], asyncio.Event()

    async def waits(scope, receive, send):
        started.append(1)
        await released.wait()
        await says_hello(scope, receive, send)

    asyncio.run(serve_protocol(2, waits, scenario))


def test_who_does_not_read_an_answer_is_cut_off(monkeypatch):
    monkeypatch.setattr(protocol, "READ_S", 0.3)
    ended = asyncio.Event()

    async def says_much(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):  # uvicorn drops what an application says when nobody is there any more
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        ended.set()

    async def scenario(port):
        _, writer = await connect(port, limit=1)
        writer.write(GET)
        await ended.wait()

    asyncio.run(serve_protocol(4, says_much, scenario))


def test_what_is_no_http_is_answered_in_json():
    async def scenario(port):
        reader, writer = await connect(port)
        writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400")
        assert b"content-type: application/json" in head
        assert json.loads(body)["error"]["code"] == "malformed_http"

    asyncio.run(serve_protocol(4, says_hello, scenario))


@pytest.mark.slow
def test_a_crowd_of_silent_connections_does_not_keep_out_who_asks(bundle, tmp_path, picture):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (320, 320))

    with running_service(tmp_path, "--bundle", bundle, preexec_fn=few_files) as service:
        crowd = []
        for _ in range(500):
            crowd.append(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S))
        with service.client() as client:
            assert client.post("/predict", files={"file": picture()}).status_code == 200
        for one in crowd:
            one.close()
        assert service.stop() == 0
        assert "Traceback" not in service.log
        assert len(service.log.splitlines()) < 30


def test_too_few_files_start_nothing(bundle):
    done = subprocess.run(
        command("--bundle", bundle),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: this process may open 64 files, expected at least 304; raise the limit, `ulimit -n 1024`\n"
    )


def test_a_kind_of_line_is_written_some_times_and_then_counted(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now[0])
    ration = Ration()

    def write(n, message="socket.accept() failed\nsocket 5"):
        records = [logging.LogRecord("asyncio", logging.ERROR, "", 0, message, (), None) for _ in range(n)]
        return [record.getMessage() for record in records if ration.filter(record)]

    assert len(write(1000)) == LINES
    assert write(1, "something else") == ["something else"]
    now[0] += log_module.WINDOW_S
    first, *others = write(3)
    assert first.endswith(f"({1000 - LINES} more lines like this were left out)")
    assert others == ["socket.accept() failed\nsocket 5"] * 2
