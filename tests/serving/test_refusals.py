"""Every mistake of a client's gets a 4xx that names it, in one form."""

import itertools
import json
import socket
import time

import pytest

from benchmarks.service_process import running_service
from lacuna.serving.uploads import last_component


def error(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert set(content["error"]) == {"code", "message"}
    assert "Traceback" not in answer.text
    return content["error"]["code"], content["error"]["message"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", "empty file"),
        ("notes.jpg", b"just text", "not an image of a known format; expected an image (JPEG, PNG"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "a drawing or document, which is not read"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "truncated image"),
    ],
)
def test_what_is_no_image_is_named(client, name, content, reason):
    code, message = error(client.post("/predict", files={"file": (name, content)}), 400)

    assert code == "unreadable_image"
    assert message.startswith(reason)


def test_an_image_of_too_many_pixels_is_refused(client, picture):
    code, message = error(client.post("/predict", files={"file": picture(size=(1001, 1000))}), 400)

    assert code == "unreadable_image"
    assert "too many pixels: 1001 x 1000" in message


def test_a_jpeg_with_needlessly_many_scans_is_refused(client, picture):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (1000, 1000), 128).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    assert client.post("/predict", files={"file": content}).status_code == 200
    last_scan = content[content.rfind(b"\xff\xda") : -2]

    slow = content[:-2] + 20 * last_scan + content[-2:]

    assert "too many scans" in error(client.post("/predict", files={"file": slow}), 400)[1]


@pytest.mark.parametrize(
    "sent",
    [
        {"content": b"{}", "headers": {"content-type": "application/json"}},
        {"content": b"\xff\xd8\xff", "headers": {"content-type": "image/jpeg"}},
        {"data": {"file": "text"}},
        {"content": b"x"},
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=x", "content-encoding": "gzip"}},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
def test_other_content_types_than_a_form_are_refused(client, path, sent):
    assert error(client.post(path, **sent), 415)[0] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no boundary at all", "malformed_form"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", "malformed_form"),
        (b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n1\r\n--x--\r\n", "malformed_form"),
        (b"--x\r\n" + b"A" * 100_000, "malformed_form"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"1" * 20_000 + b"\r\n--x--\r\n",
            "malformed_form",
        ),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 20 + b"--x--\r\n", "malformed_form"),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\ncut', "no_file"),
        (b"--x--\r\n", "no_file"),
        (b"", "no_file"),
    ],
)
def test_a_damaged_form_is_refused(client, content, code):
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert error(client.post("/predict", content=content, headers=headers), 400)[0] == code


def test_a_form_without_a_boundary_is_refused(client):
    answer = client.post("/predict", content=b"x", headers={"content-type": "multipart/form-data"})
    assert error(answer, 400)[0] == "malformed_form"


@pytest.mark.parametrize("charset", ["undefined", "punycode", "idna", "unicode_escape", "utf-16", "rot13"])
def test_no_charset_breaks_the_parser(client, picture, charset):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="\\ud800"\r\n\r\n' + picture() + b"\r\n--x--\r\n"
    )
    headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    assert client.post("/predict", content=body, headers=headers).status_code == 200


def test_a_file_in_another_field_is_not_found(client, picture):
    code, message = error(client.post("/predict", files={"image": picture()}), 400)
    assert (code, "'file'" in message) == ("no_file", True)


def test_more_files_than_a_route_takes_are_refused(client, picture):
    files = [("file", picture())] * 2
    assert error(client.post("/predict", files=files), 413)[0] == "too_many_files"
    files = [("files", b"x")] * 65
    assert error(client.post("/predict/batch", files=files), 413) == (
        "too_many_files",
        "expected at most 64 files; send fewer in one request",
    )


@pytest.mark.parametrize("top_k", ["0", "-1", "1.5", "many", "", "9" * 5000])
def test_a_top_k_that_is_no_count_is_refused(client, picture, top_k):
    for way in ({"params": {"top_k": top_k}}, {"data": {"top_k": top_k}}):
        code, message = error(client.post("/predict", files={"file": picture()}, **way), 422)
        assert (code, message.startswith("top_k: ")) == ("invalid_parameter", True)


def test_a_heat_map_needs_a_known_target_and_class(client, picture):
    image = {"file": picture()}
    assert error(client.post("/explain", files=image), 400)[0] == "no_target"
    code, message = error(client.post("/explain", files=image, data={"target": "size"}), 400)
    assert (code, message) == ("unknown_target", "target 'size': expected one of colour, red")
    answer = client.post("/explain", files=image, data={"target": "colour", "class": "pink"})
    assert error(answer, 400) == ("unknown_class", "class 'pink' of colour: expected one of green, blue")
    answer = client.post("/explain", files={"file": b"text"}, data={"target": "colour"})
    assert error(answer, 400)[0] == "unreadable_image"


def test_unknown_addresses_and_methods(client):
    assert error(client.get("/predictions"), 404)[0] == "not_found"
    assert error(client.get("/static/%00"), 404)[0] == "not_found"
    assert error(client.get("/predict/"), 404)[0] == "not_found"
    answer = client.get("/predict")
    assert error(answer, 405)[0] == "method_not_allowed"
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.jpg", "cat.jpg"),
        ("/", "image"),
        ("..", "image"),
        ("", "image"),
        ("a\0b\r\nc\x1b[31m.png", "abc[31m.png"),
        ("\u202egnp.exe", "gnp.exe"),  # turns the direction of writing: exe.png on the screen
        ("\ud800.png", ".png"),
        ("🐶 dog.png", "🐶 dog.png"),
        ("x" * 10_000, "x" * 255),
    ],
)
def test_a_name_keeps_its_last_component_alone(name, kept):
    assert last_component(name) == kept


def test_names_of_uploads_lose_their_paths(client, picture):
    answer = client.post("/predict", files={"file": ("../../🐶.png", picture())})
    assert answer.json()["image"] == "🐶.png"


def sent_raw(service, start, chunks):
    """Send what a well-behaved client would not; the answer, and how many bytes of the chunks were sent before it."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(start)
        n_bytes = 0
        connection.setblocking(False)
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                try:
                    sent = connection.send(view)
                except BlockingIOError:
                    time.sleep(0.001)
                    sent = 0
                view, n_bytes = view[sent:], n_bytes + sent
                try:
                    return _rest(connection, connection.recv(65536)), n_bytes
                except BlockingIOError:
                    pass
        return _rest(connection, b""), n_bytes


def _rest(connection, received):
    """What follows until the headers and the JSON are complete, though the connection may stay open."""
    connection.setblocking(True)
    while not received.endswith(b"}") and (more := connection.recv(65536)):
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.loads(body)


FORM = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


def test_an_upload_without_an_end_is_cut_off_at_the_limit(service):
    chunks = itertools.repeat(b"%x\r\n" % 100_000 + b"\0" * 100_000 + b"\r\n")
    start = FORM + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(FILE) + FILE + b"\r\n"

    (status, head, content), n_bytes = sent_raw(service, start, chunks)

    assert (status, content["error"]["code"]) == (413, "upload_too_large")
    assert "2 MB" in content["error"]["message"]
    assert b"connection: close" in head
    assert n_bytes < 12_000_000  # the limit of 2 MB, and what the buffers of the sockets hold


@pytest.mark.parametrize("length", [2_000_001, 10**12, 10**18])
def test_a_length_above_the_limit_is_refused_before_the_upload(service, length):
    (status, _, content), _ = sent_raw(service, FORM + b"Content-Length: %d\r\n\r\n" % length, [])

    assert (status, content["error"]["code"]) == (413, "upload_too_large")


def test_a_chunked_upload_is_as_good_as_any(client, picture):
    def chunks():
        yield FILE
        for byte in picture():
            yield bytes([byte])
        yield b"\r\n--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/predict", content=chunks(), headers=headers).status_code == 200


def test_a_client_that_goes_away_leaves_no_trace(service, client):
    for start in (FORM + b"Content-Length: 1000\r\n\r\n" + FILE, FORM[:30], b""):
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(start)

    def gone():
        return 'route="/predict",status="499"' in client.get("/metrics").text

    deadline = time.monotonic() + 30
    while not gone() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone()
    assert "Traceback" not in service.log
    assert "lacuna_queue_images 0.0" in client.get("/metrics").text


@pytest.mark.slow
def test_a_slow_upload_is_given_up(bundle, tmp_path):
    with running_service(tmp_path, "--bundle", bundle, "--timeout", 0.3) as service:
        (status, _, content), _ = sent_raw(service, FORM + b"Content-Length: 1000\r\n\r\n" + FILE, [])

    assert (status, content["error"]["code"]) == (408, "upload_too_slow")


@pytest.mark.slow
def test_uploads_that_would_not_fit_in_memory_together_have_to_come_back(bundle, tmp_path, picture):
    """16 uploads of the largest size may be held: 17 that stop before their ends are one too many."""
    arguments = ("--bundle", bundle, "--max-upload-mb", 0.1)
    with running_service(tmp_path, *arguments) as service, service.client() as client:
        held = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(17)]
        for connection in held:
            connection.sendall(FORM + b"Content-Length: 100000\r\n\r\n" + FILE + b"\0" * 99_000)
        deadline = time.monotonic() + 30
        answer = client.post("/predict", files={"file": picture() + b"\0" * 50_000})
        while answer.status_code == 200 and time.monotonic() < deadline:  # they are still on their way
            answer = client.post("/predict", files={"file": picture() + b"\0" * 50_000})
        assert error(answer, 503)[0] == "busy"
        assert answer.headers["retry-after"] == "1"
        for connection in held:
            connection.close()
        while answer.status_code == 503 and time.monotonic() < deadline:
            answer = client.post("/predict", files={"file": picture()})
        assert answer.status_code == 200
