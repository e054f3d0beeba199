"""Costs against what the laws give by hand, for 1,000 images of which 700 are learned from and 150 validate."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.config.load import parse_params
from lacuna.config.params import Params
from lacuna.errors import LacunaError
from lacuna.estimate.scale import Scale, resampled_images
from lacuna.estimate.stage_costs import StageCost, extrapolate
from tests.estimate.made_up_rates import RATES
from tests.tiny_project import params_content


def costs(images=1000, targets=2, classes=2, **finetuning) -> dict[str, StageCost]:
    scale = Scale(parameters(**finetuning), images, targets, classes)
    return {cost.stage: cost for cost in extrapolate(RATES, scale)}


@cache
def parameters(epochs=2, views=1, max_gb=20.0, solver="exact") -> Params:
    content = params_content()
    content["finetune"]["epochs"], content["augment"]["views"] = epochs, views
    content["features"]["max_gb"], content["warmup"]["solver"] = max_gb, solver
    return parse_params(content)


def test_there_is_one_cost_for_each_stage_that_grows():
    assert list(costs()) == [
        "dvc", "ingest", "prepare", "featurize", "train_warmup", "train_finetune", "calibrate", "evaluate", "explore",
        "audit", "predict",
    ]  # fmt: skip


def test_ingest_decodes_and_compares_each_image_and_keeps_its_pixels():
    ingest = costs()["ingest"]
    assert ingest.seconds == pytest.approx(1000 * 0.01 + 0.5 + 1000 * 0.001)
    assert ingest.disk == 1000 * (3 * 160 * 160 + 140)
    assert ingest.read == 1000 * 20_000


def test_dvc_looks_at_each_file_and_hashes_each_byte():
    assert costs()["dvc"].seconds == pytest.approx(1000 * 66e-6 + 1000 * 20_000 * 1e-9)
    assert costs(10_000_000)["dvc"].memory == pytest.approx(20e9 + 0.2e9)


def test_prepare_grows_with_targets_beyond_those_measured():
    assert costs()["prepare"].seconds == pytest.approx(0.01)
    assert costs(targets=6)["prepare"].seconds == pytest.approx(0.03)


def test_the_head_takes_products_of_columns_axes_and_passes_for_each_logit():
    # 700 x 100^2 x 1e-9, 100^3 x 1e-9, 700 x 2 logits x 100 columns x (1e-7 + 1e-8)
    assert costs()["train_warmup"].seconds == pytest.approx(0.007 + 0.001 + 0.0154)
    # three classes have three logits each
    assert costs(classes=3)["train_warmup"].seconds == pytest.approx(0.007 + 0.001 + 3 * 0.0154)


def test_rows_beyond_memory_are_read_in_every_pass():
    """Beyond 4 GB of 100 columns, 10 million rows of the 14 to learn from: samples of 2.5 million rows."""
    much = costs(20_000_000)["train_warmup"]
    samples = 2.5e6 * 100**2 * 1e-9 + 100**3 * 1e-9
    in_memory = 2 * samples + 2.5e6 * 2 * 100 * 1.1e-7
    passes = 14e6 * 100 * (10 * 1e-9 + 8 * 2 * 1e-10)
    assert much.seconds == pytest.approx(in_memory + passes)
    assert much.read == 10 * 14e6 * 400
    more = costs(40_000_000)["train_warmup"]
    assert more.seconds - much.seconds == pytest.approx(passes)
    assert more.memory - much.memory < 14e6 * 400 < much.memory * 2
    assert costs(14_000_000)["train_warmup"].read == 9.8e6 * 400


def test_it_says_that_a_head_by_descent_is_not_measured():
    assert "sgd is not measured" in costs(solver="sgd")["train_warmup"].law
    assert "sgd" not in costs()["train_warmup"].law


def test_where_maps_are_kept_fine_tuning_runs_the_last_layers_on_every_view():
    kept = costs(views=3)
    assert kept["featurize"].seconds == pytest.approx(3 * 1000 * 0.02)
    assert kept["featurize"].disk == 1000 * 3 * (4 * 100 + 2 * 490)
    assert kept["train_finetune"].seconds == pytest.approx(2 * (3 * 700 * 0.01 + 150 * 0.002))


def test_where_maps_would_be_too_large_fine_tuning_runs_every_layer_in_each_epoch():
    streamed = costs(views=3, max_gb=0.001)
    assert streamed["featurize"].disk == 1000 * 4 * 100
    assert streamed["train_finetune"].seconds == pytest.approx(2 * (700 * 0.03 + 150 * 0.022))
    assert "no maps are kept" in streamed["train_finetune"].law


def test_without_epochs_nothing_is_fine_tuned_and_no_views_are_kept():
    alone = costs(views=3, epochs=0)
    assert alone["featurize"].seconds == pytest.approx(1000 * 0.02)
    assert alone["train_finetune"].seconds == 0


def test_replicates_cost_no_more_from_forty_thousand_groups_on():
    assert resampled_images(39_999) == 39_999
    assert resampled_images(40_000) == 20_000
    assert resampled_images(1e9) == 20_000
    # 150,000 in validation: 1 + 150,000 x 1e-4 + 500 x (0.01 + 20,000 x 1e-6)
    assert costs(1_000_000)["evaluate"].seconds == pytest.approx(1 + 15 + 15)


def test_intervals_grow_with_the_logits_beyond_those_measured():
    assert costs(targets=10)["evaluate"].seconds == pytest.approx(5 * costs()["evaluate"].seconds)


@given(few=st.integers(1, 10**8), more=st.integers(1, 10**8))
def test_more_images_never_take_less(few, more):
    small, large = costs(few, epochs=0), costs(few + more, epochs=0)
    # replicates look at fewer images from bags on, and a sample of 4 GB of rows is what is solved in memory
    for stage in set(small) - {"calibrate", "evaluate", "train_warmup"}:
        for quantity in ("seconds", "memory", "disk", "read"):
            assert getattr(small[stage], quantity) <= getattr(large[stage], quantity), (stage, quantity)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"images": 0}, "--images 0: expected 1 or more"),
        ({"targets": 0}, "--targets 0: expected 1 or more"),
        ({"classes": 1}, "--classes 1: expected 2 or more"),
    ],
)
def test_numbers_below_what_can_be_are_refused(numbers, said):
    with pytest.raises(LacunaError) as caught:
        costs(**numbers)
    assert str(caught.value) == said
