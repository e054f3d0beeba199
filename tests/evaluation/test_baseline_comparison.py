import numpy as np
import pytest
from PIL import Image

from lacuna.evaluation.baseline_comparison import (
    ComparedModel,
    baseline_table,
    describe_gains,
    gains_over,
    plot_baselines,
    simplest_unbeaten,
    summarise_baselines,
)
from lacuna.evaluation.comparison import Replicates


def replicates(level, seed=0, log_loss=0.5):
    """Metrics around a level; the same seed moves all models alike, as paired replicates do."""
    noise = np.concatenate([[0], 0.02 * np.random.default_rng(seed).normal(size=200)])
    metrics = {
        "f1": level + noise,
        "roc_auc": level + noise,
        "average_precision": level + noise,
        "log_loss": log_loss - noise,
    }
    return Replicates({"red": metrics}, metrics)


def models(**levels):
    return {name: ComparedModel(replicates(level), 10) for name, level in levels.items()}


def test_a_model_above_all_others_beats_them_all():
    gains = gains_over(models(class_shares=0.3, linear_probe=0.6, trained=0.7), 0.95)
    assert simplest_unbeaten(gains, "red") == ""
    (gain,) = [gain for gain in gains["linear_probe"] if gain.target is None and gain.metric == "f1"]
    assert gain.b - gain.a == pytest.approx(0.1)


def test_the_simplest_unbeaten_model_is_named():
    gains = gains_over(models(class_shares=0.3, nearest_neighbours=0.7, linear_probe=0.8, trained=0.7), 0.95)
    assert simplest_unbeaten(gains, "red") == "nearest_neighbours"
    assert simplest_unbeaten(gains, "blue") is None


def test_pairing_shows_a_gain_that_is_small_beside_the_noise():
    gains = gains_over(models(class_shares=0.3, linear_probe=0.69, trained=0.7), 0.95)
    assert simplest_unbeaten(gains, None) == ""


def test_what_is_written_printed_and_said():
    compared = models(class_shares=0.3, small_cnn=0.75, trained=0.7)
    content = summarise_baselines(compared, gains_over(compared, 0.95), 0.95)
    assert content["verdicts"] == {"targets": {"red": "does not beat small CNN"}, "macro": "does not beat small CNN"}
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


def test_undefined_metrics_are_left_out():
    compared = models(class_shares=0.3, trained=0.7)
    for model in compared.values():
        model.replicates.targets["red"] = dict.fromkeys(model.replicates.macro, np.full(201, np.nan))
    content = summarise_baselines(compared, gains_over(compared, 0.95), 0.95)
    assert content["models"]["trained"]["targets"]["red"] == {}
    assert content["verdicts"]["targets"] == {}
    assert content["verdicts"]["macro"].startswith("beats")


def test_one_target_has_one_row_in_the_picture_and_two_have_one_more_for_all(tmp_path):
    heights = []
    for names in (["red"], ["red", "blue"]):
        compared = models(class_shares=0.5, trained=0.7)
        for model in compared.values():
            model.replicates.targets.update(dict.fromkeys(names, model.replicates.macro))
        plot_baselines(tmp_path / "baseline.png", summarise_baselines(compared, gains_over(compared, 0.95), 0.95))
        with Image.open(tmp_path / "baseline.png") as image:
            heights.append(image.height)
    rows = (heights[1] - heights[0]) / (0.45 * 150)  # inches a row, dots an inch
    assert rows == pytest.approx(2, abs=0.05)


def test_a_target_may_be_called_as_the_mean_over_targets_is(tmp_path):
    """The two never mix: here the target `macro` is not beaten and the mean over targets is."""
    low, high = replicates(0.6), replicates(0.7)
    compared = {
        "class_shares": ComparedModel(Replicates({"macro": high.macro}, low.macro), 1),
        "trained": ComparedModel(Replicates({"macro": low.macro}, high.macro), 2),
    }
    gains = gains_over(compared, 0.95)
    assert simplest_unbeaten(gains, "macro") == "class_shares"
    assert simplest_unbeaten(gains, None) == ""
    content = summarise_baselines(compared, gains, 0.95)
    assert content["verdicts"] == {
        "targets": {"macro": "does not beat class shares"},
        "macro": "beats every simpler model",
    }
    trained = content["models"]["trained"]
    assert (trained["macro"]["roc_auc"], trained["targets"]["macro"]["roc_auc"]) == (0.7, 0.6)
    gained = content["gains"]["class_shares"]
    assert (gained["macro"]["roc_auc"], gained["targets"]["macro"]["roc_auc"]) == (0.1, -0.1)
    assert describe_gains(content)[1:] == ["macro: the trained model does not beat class shares"]
    plot_baselines(tmp_path / "baseline.png", content)
