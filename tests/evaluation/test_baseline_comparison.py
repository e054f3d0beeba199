import numpy as np
import pytest
from PIL import Image

from lacuna.evaluation.baseline_comparison import (
    Model,
    baseline_table,
    describe_gains,
    gains_over,
    plot_baselines,
    simplest_unbeaten,
    summarise_baselines,
)


def replicates(level, seed=0, log_loss=0.5):
    """Figures around a level; the same seed moves all models alike, as paired replicates do."""
    noise = np.concatenate([[0], 0.02 * np.random.default_rng(seed).normal(size=200)])
    figures = {
        "f1": level + noise,
        "roc_auc": level + noise,
        "average_precision": level + noise,
        "log_loss": log_loss - noise,
    }
    return {"red": figures, "macro": figures}


def models(**levels):
    return {name: Model(replicates(level), 10) for name, level in levels.items()}


def test_a_model_above_all_others_beats_them_all():
    gains = gains_over(models(class_shares=0.3, linear_probe=0.6, trained=0.7), 0.95)
    assert simplest_unbeaten(gains, "red") == ""
    (gain,) = [one for one in gains["linear_probe"] if one.target == "macro" and one.figure == "f1"]
    assert gain.b - gain.a == pytest.approx(0.1)


def test_the_simplest_unbeaten_model_is_named():
    gains = gains_over(models(class_shares=0.3, nearest_neighbours=0.7, linear_probe=0.8, trained=0.7), 0.95)
    assert simplest_unbeaten(gains, "red") == "nearest_neighbours"
    assert simplest_unbeaten(gains, "blue") is None


def test_pairing_shows_a_gain_that_is_small_beside_the_noise():
    gains = gains_over(models(class_shares=0.3, linear_probe=0.69, trained=0.7), 0.95)
    assert simplest_unbeaten(gains, "macro") == ""


def test_what_is_written_printed_and_said():
    compared = models(class_shares=0.3, small_cnn=0.75, trained=0.7)
    content = summarise_baselines(compared, gains_over(compared, 0.95), 0.95)
    assert content["verdicts"] == {"red": "does not beat small CNN", "macro": "does not beat small CNN"}
    assert content["models"]["trained"]["targets"]["red"]["f1"] == pytest.approx(0.7)
    assert content["gains"]["small_cnn"]["macro"]["roc_auc_high"] < 0
    lines = baseline_table(content, {"small_cnn": 12.3}, {"trained": 4.56}).splitlines()
    assert lines[2].startswith("small CNN")
    assert lines[2].endswith("12 s")
    assert lines[3].endswith("4.6 ms")
    said = describe_gains(content)
    assert "the trained model beats class shares: ROC-AUC +0.400" in said[0]
    assert "the trained model does not beat small CNN" in said[1]
    assert said[2:] == ["red: the trained model does not beat small CNN"]


def test_undefined_figures_are_left_out():
    compared = models(class_shares=0.3, trained=0.7)
    for model in compared.values():
        model.replicates["red"] = {name: np.full(201, np.nan) for name in model.replicates["red"]}
    content = summarise_baselines(compared, gains_over(compared, 0.95), 0.95)
    assert content["models"]["trained"]["targets"]["red"] == {}
    assert set(content["verdicts"]) == {"macro"}


def test_one_target_has_one_row_in_the_picture_and_two_have_one_more_for_all(tmp_path):
    heights = []
    for names in (["red"], ["red", "blue"]):
        compared = models(class_shares=0.5, trained=0.7)
        for model in compared.values():
            model.replicates.update(dict.fromkeys(names, model.replicates["macro"]))
        plot_baselines(tmp_path / "baseline.png", summarise_baselines(compared, gains_over(compared, 0.95), 0.95))
        with Image.open(tmp_path / "baseline.png") as image:
            heights.append(image.height)
    rows = (heights[1] - heights[0]) / (0.45 * 150)  # inches a row, dots an inch
    assert rows == pytest.approx(2, abs=0.05)
