"""The stage report on figures of simulated predictions, and on what the other stages would have found."""

import hashlib
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.core.relations import save_relations
from lacuna.io.atomic import read_json, write_json
from lacuna.reporting.pictures import embed_pictures, shrink
from stages.calibrate import calibrate
from stages.evaluate import evaluate
from stages.report import report
from tests.project_population import write_population
from tests.simulated_predictions import TARGETS, simulate

PAGE = Path("plots/report.html")
BEATEN = dict.fromkeys(TARGETS.names, "beats every simpler model")


def judge(params, signal):
    """Write what a network of this signal is judged by, and judge it, in the working folder."""
    Path("plots").mkdir(exist_ok=True)
    TARGETS.save(Path("data/predictions/targets.json"))
    save_relations(Path("data/prepared/hierarchy.json"), ())
    counts = {target.name: {"counts": [100] * target.n_classes} for target in TARGETS}
    write_json(Path("data/prepared/class_weights.json"), counts)
    for part, seed in (("val", 0), ("test", 1)):
        simulate(400, signal=signal, seed=seed).save(Path(f"data/predictions/{part}.npz"))
    write_population(params)
    for phase, losses in (("warmup", [0.7, 0.6]), ("finetune", [0.5, 0.3, 0.4])):
        rows = "".join(
            f"{phase},{epoch},{int(loss == min(losses))},{1 - epoch / 10},{loss}\n" for epoch, loss in enumerate(losses)
        )
        Path(f"plots/history_{phase}.csv").write_text("phase,epoch,kept,log_loss,val_log_loss\n" + rows)
    Path("plots/regularization_path.csv").write_text("target,l2,cv_log_loss,chosen\n")
    calibrate(params)
    evaluate(params)


@pytest.fixture(scope="module")
def judged():
    """Copies of the folders in which networks were judged, by their signal."""
    return {}


@pytest.fixture
def project(tiny_project, judged, tmp_path_factory):
    """A function that makes a project at the point where `report` runs; `signal` is the network's."""

    def make(signal=6.0, metadata="nothing shown", verdicts=BEATEN, findings=(), labels="learnable"):
        params = tiny_project({"evaluate.bootstrap": 60})
        if signal in judged:
            shutil.copytree(judged[signal], ".", dirs_exist_ok=True)
        else:
            judge(params, signal)
            judged[signal] = shutil.copytree(".", tmp_path_factory.mktemp("judged") / "project")
        known = {
            target.name: {
                part: dict.fromkeys(target.classes, n) for part, n in (("train", 90), ("val", 15), ("test", 15))
            }
            for target in TARGETS
        }
        audited = {
            "verdict": labels,
            "roc_auc": 0.9,
            "roc_auc_low": 0.8,
            "roc_auc_high": 0.95,
            "p_adjusted": 0.005,
            "metadata": {"verdict": metadata, "by": "format (AUC 0.99)"},
            "missing": {"verdict": "at random"},
        }
        figures = {f"{name}{end}": 0.8 for name in ("roc_auc", "average_precision", "f1", "log_loss") for end in
                   ("", "_low", "_high")}  # fmt: skip
        contents = {
            "prepare": {
                "images": 800,
                "groups": 640,
                "rows_malformed": 3,
                "images_without_labels": 9,
                "targets": {name: {"known_share": 0.7, "unknown": 240, **known[name]} for name in TARGETS.names},
            },
            "explore": {
                "images": {"train": 560, "val": 120, "left_out": 1724, "rejected": 0},
                "findings": list(findings),
            },
            "audit": {"conclusion": "Every target is learnable", "targets": dict.fromkeys(TARGETS.names, audited)},
            "baseline": {
                "models": {name: {"parameters": 7, "macro": figures} for name in ("class_shares", "trained")},
                "gains": {"class_shares": {"macro": figures, "targets": {}}},
                "verdicts": {"targets": dict(verdicts)},
            },
            "explain": {
                "maps": "class activation",
                "targets": {
                    "red": {
                        "faithfulness": {"shown": True},
                        "worse_slices": {"size: small": {"accuracy": 0.5, "rest": 0.9, "images": 30}},
                    },
                    "old": {"faithfulness": {"shown": False}},
                },
            },
        }
        for name, content in contents.items():
            write_json(Path(f"metrics/{name}.json"), content)
        origin = {"images_sha256": "ab12", "versions": {"numpy": "2.4.6"}}
        write_json(Path("models/bundle/bundle.json"), {"origin": origin})
        sheet = Path("plots/explain/examples/red.png")
        sheet.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(sheet)
        return params

    return make


def rows_of_first_table(html):
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")]
    return {row[0]: row[1:] for row in cells if row}


def test_a_model_without_heat_maps_says_so_once(project):
    params = project()
    explained = read_json(Path("metrics/explain.json"))
    for target in explained["targets"].values():
        target.pop("faithfulness")
    write_json(Path("metrics/explain.json"), explained | {"maps": "none"})
    report(params)
    html = PAGE.read_text(encoding="utf-8")
    assert "no heat maps: the features are of no map with more than one place" in html
    assert "shown to hold" not in html


def test_the_first_screen_says_which_targets_can_be_used_and_how_well(project):
    report(project())
    test = read_json(Path("metrics/test.json"))["targets"]
    rows = rows_of_first_table(PAGE.read_text(encoding="utf-8"))
    assert list(rows) == list(TARGETS.names)
    assert rows["kind"][0] == "yes"
    share = read_json(Path("metrics/report.json"))["answers_by_itself"]["kind"]
    assert share > 0.5
    answered = re.match(
        rf"Use it for kind: it labels {share:.0%} of the images \((\d+) of (\d+) on test were right\)", rows["kind"][1]
    )
    assert int(answered[1]) / int(answered[2]) > 0.9
    html = PAGE.read_text(encoding="utf-8")
    assert "<h1>Can the model label " in html
    assert (
        "800 of 2,533 images were used (not: 1,724 left out because of data.max_images, 9 without a label): the model "
        "learned from 560, its decisions were set on 120, and it was tested on the other 120." in html
    )
    assert f'<td data-column="precision" class="number">{100 * test["red"]["precision"]:.0f} [' in html


@pytest.mark.slow
def test_without_signal_nothing_is_usable_and_nothing_answered(project):
    facts = report(project(signal=0, labels="no signal"))
    rows = rows_of_first_table(PAGE.read_text(encoding="utf-8"))
    assert {row[0] for row in rows.values()} == {"no"}
    assert all(row[1].startswith("The labels of ") for row in rows.values())
    assert facts["conclusion"] == f"No: {', '.join(TARGETS.names)}."
    assert read_json(Path("metrics/report.json"))["answers_by_itself"]["kind"] == 0


@pytest.mark.slow
def test_a_confounded_target_is_to_be_used_with_care_and_an_unbeaten_model_named(project):
    report(project(metadata="confounded", verdicts=BEATEN | {"red": "does not beat linear probe"}))
    html = PAGE.read_text(encoding="utf-8")
    rows = rows_of_first_table(html)
    assert rows["red"][0] == "with care"
    assert "the files alone (format) give the answer away" in rows["red"][1]
    assert "red: the trained model does not beat linear probe" in html


def test_the_page_tells_of_every_stage_and_needs_nothing_but_itself(project):
    report(project(findings=["<script>alert(1)</script> & co"]))
    html = PAGE.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in html
    assert "<script" not in html
    assert re.findall(r'(?:src|href)="(?!data:image/webp;base64,|#s\d)[^"]*"', html) == []
    for said in (
        "3 malformed label rows",
        "fine-tuning: overfitting",
        "size: small",
        "the maps are shown to hold for red",
        "not for old: don&#39;t read anything into these",
        "ab12",
        "train.loss: cross_entropy",
        "CRISP-DM",
        "--format=%h -S $PAGE -- dvc.lock",
        "compared on validation images; then in figures, on test images",
    ):
        assert said in html, said
    assert html.count("<img") >= 4


JARGON = ("trivial", "foretold", "phi", "Holm", "baseline", "F1", "AUC", "p-value", "log loss")


@pytest.mark.slow
@pytest.mark.parametrize("signal", [6.0, 0.5])
def test_the_first_screen_has_no_statistics(project, signal):
    report(project(signal=signal))
    html = PAGE.read_text(encoding="utf-8")
    first = html[html.index("<h1>") : html.index('<section id="s2">')]
    words = re.sub(r"<[^>]+>", " ", first)
    assert [word for word in JARGON if word in words] == []


def test_heat_on_padding_is_told(project):
    params = project()
    explained = read_json(Path("metrics/explain.json"))
    explained["targets"]["red"]["faithfulness"] |= {"padding_heat": 0.4, "padding_area": 0.25}
    explained["targets"]["old"]["faithfulness"] |= {"padding_heat": 0.1, "padding_area": 0.25}
    write_json(Path("metrics/explain.json"), explained)
    report(params)
    html = PAGE.read_text(encoding="utf-8")
    told = (
        "% of the heat lies on the padding that makes images square (25% of the area), which is left grey in the "
        "pictures"
    )
    assert f"red: 40{told}; it may go by the shape of the image" in html
    assert f"old: 10{told}</li>" in html


@pytest.mark.slow
def test_of_many_targets_the_page_stays_small_and_names_what_it_leaves_out(project, monkeypatch):
    """The one target that is to be used with care comes before those that are fine."""
    params = project(verdicts=BEATEN)
    generator = np.random.default_rng(0)
    for name in TARGETS.names:
        for folder in ("explore/samples", "explain/examples"):
            path = Path(f"plots/{folder}/{name}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(path)
    audit = read_json(Path("metrics/audit.json"))
    last = TARGETS.names[-1]
    audit["targets"][last] = audit["targets"][last] | {"metadata": {"verdict": "confounded", "by": "width"}}
    write_json(Path("metrics/audit.json"), audit)
    general = sum(len(shrink(path)) for path in Path("plots").glob("*.png"))
    sheet = len(shrink(Path(f"plots/explore/samples/{last}.png")))
    monkeypatch.setattr("stages.report.embed_pictures", partial(embed_pictures, most_bytes=general + 4 * sheet))
    report(params)
    html = PAGE.read_text(encoding="utf-8")
    assert f"Images by the class of {last}" in html
    assert f"{last}: what decisions rest on" in html
    left_out = [name for name in TARGETS.names if f"Images by the class of {name}" not in html]
    assert left_out
    assert f"{len(left_out)} more picture" in html
    assert "would make this page too large: see plots/explore/samples" in html
    assert len(html) < (general + 4 * sheet) * 4 / 3 + 60_000


@pytest.mark.slow
def test_the_same_bytes_again(project):
    params = project()
    digests = []
    for _ in range(2):
        report(params)
        digests.append(hashlib.sha256(PAGE.read_bytes()).hexdigest())
    assert digests[0] == digests[1]
