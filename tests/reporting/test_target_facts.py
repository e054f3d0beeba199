"""What the rule is told: which labels are lacking, how many in all, and where they are, from metrics files by hand."""

import pytest

from lacuna.core.targets import Target, Targets
from lacuna.evaluation.verdicts import NO_SIGNAL, TOO_FEW
from lacuna.reporting.advice import Automation, Use, advise
from lacuna.reporting.target_facts import advise_all, by_urgency, facts_of
from tests.found_metrics import found_metrics

RED = Target("red", "binary", ("absent", "present"))
KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
BOTH_MISSING = Automation(0.0, 0, 0, (False, False), (0, 46))


@pytest.fixture
def found():
    return found_metrics(Targets((RED, KIND)))


def facts(found, name="red", automation=BOTH_MISSING):
    return facts_of(name, found["prepare"], found["audit"], found["test"], automation, 10)


def count(found, name, train, val, test, unknown=0):
    classes = ("absent", "present") if name == "red" else KIND.classes
    parts = {
        part: dict(zip(classes, counts, strict=True))
        for part, counts in (("train", train), ("val", val), ("test", test))
    }
    found["prepare"]["targets"][name] = {"unknown": unknown, **parts}
    found["test"]["targets"][name]["n_unknown"] = unknown // 6


def test_what_validation_lacks_stands_for_as_many_labels_as_its_share_asks_for(found):
    """46 more in validation, which holds 40 of 240 labels: 276 in all."""
    count(found, "red", (80, 80), (20, 20), (20, 20), unknown=60)
    found["audit"]["targets"]["red"]["to_label"] = {"cells": 50, "likeliest": {"absent": 38, "present": 12}}
    assert facts(found).wanted == "about 280 more images where it is present"
    assert facts(found).where == "12 likely ones are in data/audit/to_label.csv, the others must be new images"
    found["audit"]["targets"]["red"]["to_label"]["likeliest"]["present"] = 276
    assert facts(found).where == "the list is in data/audit/to_label.csv"
    del found["audit"]["targets"]["red"]["to_label"]
    assert facts(found).where == "any image without this label will do"
    count(found, "red", (80, 80), (20, 20), (20, 20))
    assert facts(found).where == "they must be new images, since all here have this label"


def test_both_sides_of_a_binary_target_and_the_rarest_classes_of_another_are_named(found):
    count(found, "red", (80, 80), (20, 20), (20, 20))
    both = facts(found, automation=Automation(0.0, 0, 0, (False, False), (2, 30)))
    assert both.wanted == "about 12 more images where it is absent and about 180 more images where it is present"
    count(found, "kind", (50, 10, 100), (10, 2, 28), (10, 2, 28))
    categorical = facts(found, "kind", Automation(0.0, 0, 0, (False,), (30,)))
    assert categorical.wanted == "about 180 more images, those of shoe, bag, hat first"
    assert facts(found, automation=Automation(0.5, 9, 9, (True, True), (0, 0))).wanted == ""
    found["test"]["targets"]["red"]["verdict"] = NO_SIGNAL  # before it can answer by itself it has to learn
    assert both.wanted
    assert facts(found).wanted == ""


def test_too_few_names_the_rarer_class_and_unlabelled_test_images_that_may_hold_it(found):
    """7 of the rarer class are missing; of 60 unlabelled test images about 7 in 40 will be of it."""
    found["test"]["targets"]["red"]["verdict"] = TOO_FEW
    count(found, "red", (132, 28), (33, 7), (37, 3), unknown=360)
    enough = facts(found)
    assert enough.wanted == "7 more test images where red is present"
    assert enough.where == "the list is in data/audit/to_label_test.csv"
    count(found, "red", (132, 28), (33, 7), (37, 3), unknown=60)
    assert facts(found).wanted == "about 42 more images where red is present"  # 7 in a test part of one sixth
    assert facts(found).where == "they must be new images, besides those in data/audit/to_label_test.csv"
    assert advise(facts(found)).use == Use.NOT_YET


def test_one_is_no_plural_and_no_estimate(found):
    found["test"]["targets"]["red"]["verdict"] = TOO_FEW
    count(found, "red", (100, 60), (25, 15), (21, 9), unknown=120)
    assert facts(found).wanted == "1 more test image where red is present"


def test_the_commoner_side_may_be_present_and_a_class_need_not_be_named(found):
    for name in ("red", "kind"):
        found["test"]["targets"][name]["verdict"] = TOO_FEW
    count(found, "red", (8, 152), (2, 38), (2, 38))
    assert facts(found).wanted == "about 48 more images where red is absent"
    count(found, "kind", (150, 5, 5), (38, 1, 1), (38, 1, 1))
    assert facts(found, "kind").wanted == "about 48 more images where kind is not bag"


def test_labels_of_which_training_has_too_few_are_counted_there(found):
    found["audit"]["targets"]["red"]["verdict"] = "too few of the rarer class"
    found["test"]["targets"]["red"]["verdict"] = NO_SIGNAL
    count(found, "red", (154, 4), (39, 2), (30, 10), unknown=12)
    assert facts(found).wanted == "4 more images where red is present"
    assert facts(found).where == "any image without this label will do"


def test_fields_that_confound_are_named_without_figures_and_the_target_comes_first(found):
    audited = found["audit"]["targets"]["kind"]
    audited["metadata"] = {"verdict": "confounded", "by": "format (AUC 0.99), width (AUC 0.61)"}
    assert facts(found, "kind").confounded == "format, width"
    audited["metadata"]["verdict"] = "foretold"
    assert facts(found, "kind").confounded == ""
    audited["metadata"]["verdict"] = "confounded"
    answering = Automation(0.5, 9, 9, (True, True), (0, 0))
    advice = advise_all({"red": facts(found, "red", answering), "kind": facts(found, "kind")})
    assert [of_target.use for of_target in advice.values()] == [Use.YES, Use.CARE]
    assert by_urgency(advice) == ["kind", "red"]


@pytest.mark.parametrize("selection", ["by label", "by image"])
def test_figures_of_labelled_images_that_are_no_fair_sample_are_told(found, selection):
    found["test"]["targets"]["red"] |= {"selection": selection, "population": "labelled"}
    assert facts(found).only_labelled
    found["test"]["targets"]["red"]["population"] = "all"
    assert not facts(found).only_labelled


def test_a_binary_target_is_right_as_its_precision_a_categorical_one_as_its_accuracy(found):
    found["test"]["targets"]["red"] |= {"precision": 0.61, "accuracy": 0.9}
    found["test"]["targets"]["kind"] |= {"precision": 0.61, "accuracy": 0.9}
    assert facts(found).right == 0.61
    assert facts(found, "kind").right == 0.9
