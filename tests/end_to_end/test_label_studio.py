"""The labelling loop with a real Label Studio: out, shown, labelled, back, and in the manifest.

Label Studio is a gigabyte and takes minutes to install, so it is no part of the tests' environment: CONTRIBUTING.md
says how to run these.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.service_process import running_service
from lacuna.calibration.model import Calibration
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Target, Targets
from lacuna.io.atomic import read_json, write_json
from lacuna.io.csv_files import write_csv
from tests.dvc_project import run
from tests.end_to_end.label_studio_server import PROGRAM, LabelStudioClient, label_studio
from tests.stages.prepare_inputs import write_files
from tests.tiny_bundle import CALIBRATION, write_tiny_bundle
from tests.tiny_project import REPOSITORY, write_params

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM not in os.environ, reason=f"{PROGRAM} names no label-studio; see CONTRIBUTING.md"),
]

WORDS = ("R&D <1>", 'so "$5" é')
TARGETS = Targets((Target("the 'kind' & so", "categorical", WORDS), Target("red", "binary", ("absent", "present"))))
KIND, RED = TARGETS.names
NAMES = [f"in ner/é&{number:02}.png" for number in range(30)]
KEY = "0123456789abcdef-secret"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 red pictures as ingest, prepare, audit and bundle leave a project. The first six have no label but one."""
    root = tmp_path_factory.mktemp("studio") / "project"
    changes = {
        "data.path": "photos",
        "data.labels": "labels.csv",
        "data.targets": {KIND: "categorical", RED: "binary"},
        "data.group_column": "",
        "split.val": 0.2,
        "split.test": 0.2,
    }
    for folder in ("photos/in ner", "data/images", "data/audit", "corrections"):
        (root / folder).mkdir(parents=True)
    for code in ("lacuna", "stages"):
        (root / code).symlink_to(REPOSITORY / code)
    write_params(root, changes)
    for number, name in enumerate(NAMES):
        Image.new("RGB", (40, 40), (255, 0, 50 + number)).save(root / "photos" / name)
    write_files(root / "data/images", NAMES, list(range(2, 32)))
    write_csv(root / "data/images/rejected.csv", ("image", "reason"), [])
    write_csv(root / "data/images/left_out.csv", ("image",), [])
    labels = [(name, *(("NA", "NA") if n < 6 else (WORDS[n % 2], n % 3 % 2))) for n, name in enumerate(NAMES)]
    labels[5] = (NAMES[5], WORDS[0], "NA")
    write_csv(root / "labels.csv", ("image", KIND, RED), labels)
    run(root, "python", "-m", "stages.prepare")
    cells = [(name, target, "NA", "", "", 1 - n / 10) for n, name in enumerate(NAMES[:6]) for target in (RED, KIND)]
    header = ("image", "target", "given", "corrected", "suggested")
    write_csv(root / "data/audit/to_label.csv", (*header, "value"), cells)
    issue = (NAMES[0], RED, "present", "", "absent", 0.1)
    write_csv(root / "data/audit/label_issues.csv", (*header, "quality"), [issue])
    calibration = Calibration(dict(zip(TARGETS.names, CALIBRATION.targets.values(), strict=True)))
    write_tiny_bundle(root / "models/bundle", TARGETS, calibration)
    run(root, "python", "-m", "lacuna", "label-studio", "export", "--out", "studio")
    return root


@pytest.fixture(scope="module")
def studio(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioClient]:
    with label_studio(tmp_path_factory.mktemp("server"), project) as client:
        yield client


@pytest.fixture(scope="module")
def number(studio: LabelStudioClient, project: Path) -> int:
    """Of a project in Label Studio with what was exported."""
    config = (project / "studio/label_config.xml").read_text(encoding="utf-8")
    made = studio.post("/api/projects", {"title": "lacuna", "label_config": config, "maximum_annotations": 2})
    storage = {"project": made["id"], "path": str(project / "photos"), "use_blob_urls": True, "title": "photos"}
    studio.post("/api/storages/localfiles", storage)
    imported = studio.post(f"/api/projects/{made['id']}/import", read_json(project / "studio/tasks.json"))
    assert imported["task_count"] == 6
    assert imported["prediction_count"] == 6
    return int(made["id"])


def tasks_of(studio: LabelStudioClient, number: int) -> list[Any]:
    found = studio.get("/api/tasks", project=number, fields="all", page_size=100)
    return sorted(found["tasks"], key=lambda task: task["id"])


def chosen(result: list[Any]) -> dict[str, list[str]]:
    return {region["from_name"]: region["value"]["choices"] for region in result}


def choices(kind: str | None = None, red: str | None = None) -> list[Any]:
    given = {KIND: kind, RED: red}
    return [
        {"from_name": name, "to_name": "image", "type": "choices", "value": {"choices": [word]}}
        for name, word in given.items()
        if word is not None
    ]


def test_pictures_and_predictions_are_shown_most_valuable_first(
    studio: LabelStudioClient, number: int, project: Path
) -> None:
    tasks = tasks_of(studio, number)
    assert [task["data"]["name"] for task in tasks] == NAMES[:6]
    for task in tasks:
        picture = studio.http.get(task["data"]["image"])
        assert picture.status_code == 200
        assert picture.content == (project / "photos" / task["data"]["name"]).read_bytes()
        (prediction,) = task["predictions"]
        assert prediction["model_version"].startswith("lacuna-")
        kind = WORDS[0 if task["data"]["name"] == NAMES[5] else 1]  # the label that is known, or what the model says
        assert chosen(prediction["result"]) == {KIND: [kind], RED: ["present"]}
        scores = {region["from_name"]: region["score"] for region in prediction["result"] if "score" in region}
        assert scores[RED] == pytest.approx(0.7311, abs=1e-4)  # the sigmoid of 1
        assert prediction["score"] == pytest.approx(min(scores.values()))
    first = studio.get(f"/api/projects/{number}/next")  # what an annotator sees
    assert first["data"]["name"] == NAMES[0]
    assert chosen(first["predictions"][0]["result"]) == chosen(tasks[0]["predictions"][0]["result"])


def test_what_is_labelled_arrives_in_the_manifest(studio: LabelStudioClient, number: int, project: Path) -> None:
    tasks = tasks_of(studio, number)
    for task, answer in (
        (0, {"result": choices(WORDS[0], "absent")}),
        (1, {"result": choices(red="present")}),
        (2, {"result": choices(WORDS[1], "present"), "was_cancelled": True}),
        (3, {"result": choices(WORDS[1], "absent"), "parent_prediction": tasks[3]["predictions"][0]["id"]}),
        (4, {"result": choices(WORDS[0], "absent")}),
        (4, {"result": choices(WORDS[0], "present")}),
        (5, {"result": choices(red="absent"), "parent_prediction": tasks[5]["predictions"][0]["id"]}),
    ):
        studio.post(f"/api/tasks/{tasks[task]['id']}/annotations", {**answer, "lead_time": 1.0})
    labelled = {0: (0, 0), 1: (-1, 1), 2: (-1, -1), 3: (1, 0), 4: (0, -1), 5: (-1, 0)}
    for kind in ("JSON", "JSON_MIN"):
        write_json(project / f"{kind}.json", studio.get(f"/api/projects/{number}/export", exportType=kind))
    said = run(project, "python", "-m", "lacuna", "label-studio", "import", "JSON.json")
    assert f"8 labels added ({KIND} 4, red 4)" in said
    run(project, "python", "-m", "stages.prepare")
    manifest = Manifest.load(project / "data/prepared/manifest.csv", TARGETS)
    assert {n: tuple(manifest.labels[n].tolist()) for n in range(6)} == labelled
    said = run(project, "python", "-m", "lacuna", "label-studio", "import", "JSON_MIN.json")
    assert "no new label; 8 cells are labelled like this already" in said


def test_the_service_suggests_what_the_model_says(
    studio: LabelStudioClient, number: int, project: Path, tmp_path: Path
) -> None:
    before = tasks_of(studio, number)
    for task in before:
        studio.delete(f"/api/predictions/{task['predictions'][0]['id']}")
    (tmp_path / "key").write_text(KEY)
    options = ("--bundle", project / "models/bundle", "--label-studio-files", project, "--api-key-file")
    with running_service(tmp_path, *options, tmp_path / "key") as service:
        login = {"auth_method": "BASIC_AUTH", "basic_auth_user": "lacuna", "basic_auth_pass": KEY}
        backend = studio.post("/api/ml", {"project": number, "url": service.address, "title": "lacuna", **login})
        connected = studio.get(f"/api/ml/{backend['id']}")
        assert connected["state"] == "CO", connected["error_message"]
        assert studio.get(f"/api/ml/{backend['id']}/versions") == {"versions": [connected["model_version"]]}
        everything = {"selectedItems": {"all": True, "excluded": []}}
        studio.post(f"/api/dm/actions?id=retrieve_tasks_predictions&project={number}", everything)
        again = tasks_of(studio, number)
        for old, new in zip(before, again, strict=True):
            (expected,), (prediction,) = old["predictions"], new["predictions"]
            assert prediction["model_version"] == expected["model_version"]
            assert chosen(prediction["result"]) == {KIND: [WORDS[1]], RED: ["present"]}
            if old["data"]["name"] != NAMES[5]:
                assert prediction["score"] == expected["score"]
        studio.delete(f"/api/ml/{backend['id']}")
