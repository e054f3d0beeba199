"""Label Studio's protocol, as its server speaks it, and what may not be reached by it."""

import json
import os
import threading

import pytest

from benchmarks.service_process import running_service
from lacuna.labelling.label_config import label_config
from lacuna.serving.settings import Limits
from tests.serving.test_refusals import error
from tests.tiny_bundle import TARGETS

KEY = "0123456789abcdef-secret"
CONFIG = label_config(TARGETS)


@pytest.fixture(scope="module")
def files(tmp_path_factory, picture):
    """What Label Studio serves: pictures, and links and other things that lead elsewhere."""
    folder = tmp_path_factory.mktemp("studio")
    root = folder / "root"
    (root / "photos/in ner").mkdir(parents=True)
    (root / "photos/red.png").write_bytes(picture())
    (root / "photos/in ner/dark é.png").write_bytes(picture((0, 255, 0)))
    (root / "photos/notes.png").write_text("no picture")
    (root / "photos/large.png").write_bytes(bytes(3_000_000))
    (root / "photos/inside.png").symlink_to(root / "photos/red.png")
    (folder / "secret.png").write_bytes(picture())
    (root / "photos/outside.png").symlink_to(folder / "secret.png")
    (root / "elsewhere").symlink_to(folder)
    (root / "circle.png").symlink_to(root / "circle.png")
    os.mkfifo(root / "pipe.png")
    return root


@pytest.fixture(scope="module")
def studio(bundle, files, tmp_path_factory):
    options = ("--bundle", bundle, "--max-upload-mb", 2, "--label-studio-files", files)
    with running_service(tmp_path_factory.mktemp("service"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def asking(studio):
    with studio.client() as client:
        yield client


def local(path):
    return f"/data/local-files/?d={path}"


def request(*addresses, **others):
    """As Label Studio 1.23 sends it."""
    tasks = [{"id": n, "data": {"image": address}, "annotations": []} for n, address in enumerate(addresses)]
    return {
        "tasks": tasks,
        "project": "1.1700000000",
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": None},
        **others,
    }


def test_a_suggestion_for_each_task_in_order(asking):
    answer = asking.post("/predict", json=request(local("photos/red.png"), local("photos/in%20ner/dark%20%C3%A9.png")))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    red, green = answer.json()["results"]
    (version,) = asking.get("/versions").json()["versions"]
    assert red == {
        "model_version": version,
        "score": 0.5498,  # softmax of 0 and 0.2
        "result": [
            {
                "from_name": "colour",
                "to_name": "image",
                "type": "choices",
                "value": {"choices": ["blue"]},
                "score": 0.5498,
            },
            {
                "from_name": "red",
                "to_name": "image",
                "type": "choices",
                "value": {"choices": ["present"]},
                "score": 0.7311,  # the sigmoid of 1
            },
        ],
    }
    assert [(one["value"]["choices"], one["score"]) for one in green["result"]] == [
        (["green"], 0.7311),
        (["absent"], 0.7311),  # the sigmoid of -1 is that of "present"
    ]


def test_the_address_may_name_any_host_and_none_is_asked(asking):
    answer = asking.post("/predict", json=request("http://nowhere.invalid:1/data/local-files/?d=photos/red.png"))
    assert [len(one["result"]) for one in answer.json()["results"]] == [2]


def test_health_setup_and_versions_as_the_protocol_has_them(asking, studio):
    health = asking.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "UP")
    setup = {"project": "1.1700000000", "schema": CONFIG, "hostname": "http://localhost:8080", "access_token": "t0ken"}
    version = asking.post("/setup", json={**setup, "extra_params": None}).json()["model_version"]
    described = asking.get("/metadata").json()["models"]
    assert version == f"lacuna-{described[0]['version']}"
    assert asking.get("/versions").json() == {"versions": [version]}
    assert "WARNING" not in studio.log
    assert asking.post("/setup", json={**setup, "schema": "<View/>"}).json() == {"model_version": version}
    assert "no choices in the labelling config are named like one of colour, red" in studio.log
    assert "t0ken" not in studio.log


def test_a_config_by_hand_says_where_the_picture_stands_and_what_may_be_chosen(asking):
    config = """<View><Image name="photo" value="$url"/><Text name="t" value="$text"/>
        <Choices name="red" toName="photo"><Choice value="present"/></Choices>
        <Choices name="colour" toName="t"><Choice value="blue"/></Choices></View>"""
    tasks = [{"id": 1, "data": {"url": local(f"photos/{name}.png"), "text": "x"}} for name in ("red", "in ner/dark é")]
    first, second = asking.post("/predict", json={"tasks": tasks, "label_config": config}).json()["results"]
    assert [(one["from_name"], one["to_name"], one["value"]) for one in first["result"]] == [
        ("red", "photo", {"choices": ["present"]})
    ]
    assert second["result"] == []  # "absent" is no choice there


def test_an_unreadable_picture_has_no_suggestion_and_leaves_the_others(asking, studio):
    answer = asking.post("/predict", json=request(local("photos/notes.png"), local("photos/inside.png")))
    bad, good = answer.json()["results"]
    assert (bad["result"], bad["score"], len(good["result"])) == ([], 0.0, 2)
    assert "photos/notes.png: not an image of a known format" in studio.log


@pytest.mark.parametrize(
    "address",
    [
        local("../secret.png"),
        local("photos/../../secret.png"),
        local("photos/%2e%2e/%2e%2e/secret.png"),
        local("/etc/passwd"),
        local("photos/outside.png"),
        local("elsewhere/secret.png"),
        local("elsewhere/root/photos/red.png/../../../secret.png"),
        local("circle.png"),
        local("pipe.png"),
        local("photos"),
        local(""),
        local("."),
        local("photos/none.png"),
        local("photos/red.png%00.png"),
        local("photos/red.png/x"),
        local("x" * 5000),
        local("photos/red.png&d=photos/red.png"),
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "photos/red.png",
        "http://[",
    ],
)
def test_nothing_but_files_of_the_folder_is_opened(asking, address):
    code, message = error(asking.post("/predict", json=request(local("photos/red.png"), address)), 400)
    assert code == "no_local_file"
    assert "this service fetches nothing" in message
    assert len(message) < 600


def test_a_picture_larger_than_an_upload_may_be_is_refused(asking):
    assert error(asking.post("/predict", json=request(local("photos/large.png"))), 413)[0] == "upload_too_large"


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><View><Choices name="&b;"/></View>'


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"tasks": {}}',
        b'{"tasks": [1]}',
        b'{"tasks": [{"data": {}}]}',
        b'{"tasks": [{"data": {"image": 5}}]}',
        b'{"tasks": [], "label_config": 5}',
        json.dumps(request(local("photos/red.png"), label_config=BOMB)).encode(),
        json.dumps(request(local("photos/red.png"), label_config="<View>")).encode(),
    ],
)
def test_what_is_not_as_label_studio_sends_it_is_refused(asking, content):
    answer = asking.post("/predict", content=content, headers={"Content-Type": "application/json"})
    assert error(answer, 400)[0] == "malformed_json"


def test_a_request_has_bounds(asking):
    too_long = json.dumps(request(local("photos/red.png"), label_config="x" * 2_000_000)).encode()
    headers = {"Content-Type": "application/json"}
    assert error(asking.post("/predict", content=too_long, headers=headers), 413)[0] == "upload_too_large"
    chunks = (too_long[start : start + 65536] for start in range(0, len(too_long), 65536))
    assert error(asking.post("/setup", content=chunks, headers=headers), 413)[0] == "upload_too_large"
    assert error(asking.post("/setup", content=b"{}"), 415)[0] == "unsupported_media_type"
    packed = {**headers, "Content-Encoding": "gzip"}
    assert error(asking.post("/predict", content=b"{}", headers=packed), 415)[0] == "unsupported_media_type"


def test_more_tasks_than_the_queue_holds_are_answered_one_lot_after_another(app_client, files):
    client = app_client(label_studio_files=files, limits=Limits(max_queue=8))
    answer = client.post("/predict", json=request(*[local("photos/red.png")] * 40))
    assert [len(one["result"]) for one in answer.json()["results"]] == [2] * 40


def test_uploads_are_answered_as_before(asking, picture):
    assert asking.post("/predict", files={"file": picture()}).json()["targets"]["red"]["decision"] == "present"
    together = []
    threads = [
        threading.Thread(
            target=lambda: together.append(asking.post("/predict", json=request(local("photos/red.png"))).status_code)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [200] * 4


def test_without_the_folder_the_routes_are_not_there(client):
    assert client.get("/health").json()["status"] == "ok"
    assert client.post("/setup", json={"project": "1.1", "schema": CONFIG}).status_code == 404
    assert client.get("/versions").status_code == 404
    assert error(client.post("/predict", json=request(local("photos/red.png"))), 415)[0] == "unsupported_media_type"


def test_the_key_may_come_as_a_password(app_client, files):
    client = app_client(label_studio_files=files, api_key=KEY)
    asked = request(local("photos/red.png"))
    for credentials in (("anyone", KEY), ("", KEY)):
        assert client.post("/predict", json=asked, auth=credentials).status_code == 200
        assert client.post("/setup", json={"schema": ""}, auth=credentials).status_code == 200
    wrong = [{}, {"Authorization": "Basic !"}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": "Basic"}]
    wrong.append({"X-API-Key": "no"})
    for headers in wrong:
        for path in ("/predict", "/setup"):
            assert client.post(path, json=asked, headers=headers).status_code == 401
        assert client.get("/versions", headers=headers).status_code == 401
    assert client.post("/predict", json=asked, auth=(KEY, "no")).status_code == 401
    assert client.get("/health").status_code == 200


def test_the_description_names_the_routes_with_examples(asking):
    paths = asking.get("/openapi.json").json()["paths"]
    assert "application/json" in paths["/predict"]["post"]["requestBody"]["content"]
    schemas = asking.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["ModelVersion"]["properties"]["model_version"]["examples"]
    for path, method in (("/setup", "post"), ("/versions", "get")):
        done, *errors = paths[path][method]["responses"].values()
        assert done["content"]["application/json"]["schema"]["$ref"].endswith(("ModelVersion", "Versions"))
        assert all("example" in error["content"]["application/json"] for error in errors)


def test_a_folder_that_is_none_starts_nothing(bundle, tmp_path, capsys):
    from lacuna.cli import main

    assert main(["serve", "--bundle", str(bundle), "--label-studio-files", str(tmp_path / "no")]) == 1
    assert "no: no such folder" in capsys.readouterr().err
