"""The card says in words what the metrics files hold."""

import pytest
from ruamel.yaml import YAML

from lacuna.config.load import load_params
from lacuna.core.targets import Target, Targets
from lacuna.reporting.model_card import CardContent, model_card
from tests.found_metrics import found_metrics

TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "sh|oe", "<b>hat")), Target("red", "binary", ("absent", "present")))
)
CLASSES = {target.name: target.classes for target in TARGETS}
ORIGIN = {"images_sha256": "ab12", "versions": {"lacuna": "0.1.0", "keras": "3.15.1"}}


@pytest.fixture
def params(repository):
    return load_params(repository / "params.yaml")


@pytest.fixture
def contents():
    content = found_metrics(TARGETS)
    return {name: content[name] for name in ("prepare", "training", "audit", "baseline", "explain", "test")}


def section(card, title):
    start = card.index(f"\n## {title}\n")
    end = card.find("\n## ", start + 1)
    return card[start : end if end > 0 else None]


def test_the_head_is_what_model_hubs_read(contents, params):
    card = model_card(CardContent(**contents, origin=ORIGIN), CLASSES, params)
    opening, head, _ = card.split("---\n", 2)
    content = YAML(typ="safe").load(head)
    assert opening == ""
    assert content["pipeline_tag"] == "image-classification"
    assert "license" not in content
    (model,) = content["model-index"]
    kind, red = model["results"]
    assert (kind["task"]["name"], red["task"]["name"]) == ("kind", "red")
    assert {"type": "f1", "value": 0.8, "name": "f1"} in red["metrics"]


def test_it_has_the_headings_and_the_figures_beside_what_is_to_be_beaten(contents, params):
    card = model_card(CardContent(**contents, origin=ORIGIN), CLASSES, params)
    titles = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert titles == [
        "Model Details",
        "Uses",
        "Bias, Risks, and Limitations",
        "How to Get Started with the Model",
        "Training Details",
        "Evaluation",
        "Technical Specifications",
        "Citation",
    ]
    assert "| red | 40 | 80 [70-90] | 80 [70-90] | 80 [70-90] | 30 |" in section(card, "Evaluation")
    assert "| trained model | 0.80 [0.70-0.90] |" in section(card, "Evaluation")
    assert "| red | 120 | 40% | 40 | 40 | 40 |" in section(card, "Training Details")
    assert "warmup.learning_rate: 0.001" in section(card, "Training Details")
    assert "`ab12`" in section(card, "Technical Specifications")
    assert "arxiv.org/abs/1905.11946" in section(card, "Citation")
    assert "unknown for a share of the images (kind 40%, red 40%)" in section(card, "Bias, Risks, and Limitations")


def test_it_warns_of_what_the_audit_and_explain_found(contents, params):
    contents["audit"]["targets"]["red"] = {
        "verdict": "weak",
        "metadata": {"verdict": "confounded", "by": "format (AUC 0.99)"},
        "missing": {"verdict": "depends on the image"},
        "skipped_classes": {"present": 2},
    }
    contents["explain"]["targets"]["kind"] = {
        "faithfulness": {"shown": False},
        "worse_slices": {"size: small": {"accuracy": 0.5, "rest": 0.9, "images": 30}},
    }
    contents["explain"]["targets"]["red"] = {"faithfulness": {"images": 1}}  # too few for a word on it
    contents["test"]["targets"]["kind"]["verdict"] = "no signal shown"
    contents["audit"]["targets"]["kind"]["verdict"] = "no signal"
    contents["test"]["targets"]["red"] |= {"selection": "by image", "population": "labelled"}
    card = model_card(CardContent(**contents, origin=ORIGIN), CLASSES, params)
    said, uses = section(card, "Bias, Risks, and Limitations"), section(card, "Uses")
    for words in (
        "red: the audit's verdict on its labels, before training, was: weak",
        "red is confounded: properties of the image files alone tell it, by format (AUC 0.99)",
        "red: which images are labelled depends on more than the answer",
        "red: too few images to judge present",
        "kind is weaker where size: small: 50% of 30 validation images are right, 90% elsewhere",
        "kind: its heat maps are not shown",
        "red: its heat maps are not shown",
    ):
        assert words in said, words
    assert "| red | with care |" in uses
    assert "| kind | no | The labels of kind do not follow from the images" in uses
    assert "- kind: it was not shown to know more than" in uses


def test_names_from_the_data_break_no_table_and_carry_no_html(contents, params):
    card = model_card(CardContent(**contents, origin=ORIGIN), CLASSES, params)
    assert "bag, sh\\|oe, &lt;b>hat" in card
    assert "<b>" not in card


@pytest.mark.parametrize(
    ("backbone", "words"), [("efficientnet_v2b0", "EfficientNetV2"), ("resnet50", "Residual"), ("small_cnn", None)]
)
def test_the_backbone_is_cited_if_it_was_published(contents, params, backbone, words):
    changed = params.model_copy(update={"backbone": params.backbone.model_copy(update={"name": backbone})})
    card = model_card(CardContent(**contents, origin=ORIGIN), CLASSES, changed)
    assert ("## Citation" in card) == bool(words)
    assert words is None or words in section(card, "Citation")


def test_a_file_of_the_users_own_is_named(contents, params):
    own = params.backbone.model_copy(update={"name": "onnx", "weights": "/home/ann/vit.onnx"})
    card = model_card(CardContent(**contents, origin=ORIGIN), CLASSES, params.model_copy(update={"backbone": own}))
    assert "onnx, the file vit.onnx, frozen" in card


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("resnet_18_imagenet", "the preset resnet\\_18\\_imagenet"),
        ("hf://org/name", "the preset hf://org/name"),
        ("/home/ann/own", "the preset own"),
    ],
)
def test_a_preset_is_named_without_where_its_folder_lies(contents, params, preset, said):
    hub = params.backbone.model_copy(update={"name": "keras_hub", "weights": preset})
    card = model_card(CardContent(**contents, origin=ORIGIN), CLASSES, params.model_copy(update={"backbone": hub}))
    assert f"keras_hub, {said}\n" in card


@pytest.mark.parametrize(
    ("solver", "epochs", "kept", "said", "not_said"),
    [
        ("exact", 0, "head", "The network itself is as it came.", "epoch"),
        ("exact", 6, "head", "validation did not show a gain: the network is as it came.", "epoch"),
        ("exact", 6, "fine-tuned", "upper layers learned what the head misses; the epoch with", "the mean of both"),
        ("exact", 6, "mean", "The model is the mean of both, in logits.", "as it came"),
        ("sgd", 0, "head", "by gradient descent on the features of the frozen network; the epoch", "penalty"),
    ],
)
def test_the_procedure_is_the_one_that_made_the_model(contents, params, solver, epochs, kept, said, not_said):
    changed = params.model_copy(
        update={
            "warmup": params.warmup.model_copy(update={"solver": solver}),
            "finetune": params.finetune.model_copy(update={"epochs": epochs, "residual": True}),
        }
    )
    found = contents | {"training": {"kept": kept}}
    card = model_card(CardContent(**found, origin=ORIGIN), CLASSES, changed)
    procedure = card[card.index("### Training Procedure") : card.index("#### Training Hyperparameters")]
    assert said in procedure
    assert not_said not in procedure
