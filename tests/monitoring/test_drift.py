"""Planted shifts are found and named; batches like the training images are left alone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binom

from lacuna.cli import main
from lacuna.core.groups import design_effect, independent_sample
from lacuna.core.targets import Target, Targets
from lacuna.inference.drift_reference import CATEGORICAL, NUMERIC, Properties
from lacuna.inference.ood import FalseAlarms
from lacuna.inference.predictor import Predictor
from lacuna.monitoring.drift import (
    ALPHA,
    DriftComparison,
    compare_decisions,
    compare_features,
    compare_properties,
    compare_with_training,
    correct,
)
from lacuna.monitoring.observe import observe
from lacuna.monitoring.report import drift_table
from lacuna.monitoring.two_sample import (
    TwoSampleResult,
    compare_categories,
    compare_coordinates,
    compare_numbers,
    compare_shares,
)
from tests.ood_bundle import Pixels, training_like_pictures, write_ood_bundle
from tests.tiny_bundle import SIZE, write_tiny_bundle

SEEDS = 200
TARGETS = Targets((Target("kind", "categorical", tuple("abcdef")), Target("red", "binary", ("absent", "present"))))


class Population:
    """Images as arrays: coordinates (n, 8), the classes decided for, properties; one in a hundred is unfamiliar."""

    def __init__(self, n: int, generator: np.random.Generator) -> None:
        self.coordinates = generator.standard_t(5, (n, 8)).astype(np.float32)
        self.unfamiliar = generator.random(n) < 0.01
        self.decisions = np.stack(
            [generator.choice(6, n, p=[0.4, 0.3, 0.2, 0.06, 0.03, 0.01]), generator.random(n) < 0.2], axis=1
        ).astype(np.int16)
        self.properties = Properties(
            {name: generator.choice(["PNG", "JPEG", "GIF"], n, p=[0.8, 0.19, 0.01]) for name in CATEGORICAL},
            {name: generator.lognormal(3, 1, n).astype(np.float32) for name in NUMERIC},
        )

    def take(self, rows: np.ndarray) -> "Population":
        taken = object.__new__(Population)
        taken.coordinates, taken.unfamiliar = self.coordinates[rows], self.unfamiliar[rows]
        taken.decisions = self.decisions[rows]
        taken.properties = Properties(
            {name: values[rows] for name, values in self.properties.categorical.items()},
            {name: values[rows] for name, values in self.properties.numeric.items()},
        )
        return taken


def compare(
    before: Population, now: Population, group: np.ndarray | None = None, independent: np.ndarray | None = None
) -> list[DriftComparison]:
    rows = np.arange(len(before.unfamiliar)) if independent is None else independent
    crowding = 1.0 if group is None else design_effect(group)
    false_alarms = FalseAlarms(0.01, 0.01, 99, int(before.unfamiliar[rows].sum()), len(rows), 0, 1)
    return correct(
        [
            *compare_features(false_alarms, before.coordinates[rows], now.unfamiliar, now.coordinates, crowding),
            *compare_decisions(TARGETS, before.decisions, now.decisions, crowding),
            *compare_properties(before.properties, now.properties, crowding),
        ]
    )


def count_false_alarms(draw: Callable[[np.random.Generator], list[DriftComparison]]) -> int:
    """In how many of SEEDS anything is significant, without the help of the smallest effect that counts."""
    return sum(any(one.p <= ALPHA for one in draw(np.random.default_rng(seed))) for seed in range(SEEDS))


MOST_FALSE_ALARMS = binom.ppf(0.999, SEEDS, ALPHA)


@pytest.mark.slow
def test_half_of_validation_has_not_drifted() -> None:
    def draw(generator: np.random.Generator) -> list[DriftComparison]:
        before = Population(160, generator)
        return compare(before, before.take(generator.permutation(160)[:80]))

    assert count_false_alarms(draw) <= MOST_FALSE_ALARMS


@pytest.mark.slow
def test_like_batches_are_called_drifted_no_oftener_than_stated() -> None:
    assert count_false_alarms(lambda one: compare(Population(160, one), Population(60, one))) <= MOST_FALSE_ALARMS


@pytest.mark.slow
def test_images_that_come_in_copies_are_no_drift_either() -> None:
    """Images of the first class have up to four copies, so that one image of each group would not stand for all."""

    def copied(n: int, generator: np.random.Generator) -> tuple[Population, np.ndarray]:
        alone = Population(n, generator)
        copies = np.where(alone.decisions[:, 0] == 0, generator.integers(1, 5, n), 1)
        group = np.repeat(np.arange(n), copies)
        return alone.take(group), group

    def draw(generator: np.random.Generator) -> list[DriftComparison]:
        (before, group), (now, _) = copied(160, generator), copied(60, generator)
        return compare(before, now, group, independent_sample(group, generator))

    assert count_false_alarms(draw) <= MOST_FALSE_ALARMS


@pytest.mark.slow
@pytest.mark.parametrize("n", [25, 200])
def test_the_classifier_reaches_any_p_as_often_as_it_says(n: int) -> None:
    p = []
    for seed in range(SEEDS):
        generator = np.random.default_rng(seed)
        before, now = generator.normal(size=(100, 6)), generator.normal(size=(n, 6))
        p.append(compare_coordinates(before, now, 0, 99).p)
    for level in (0.05, 0.2, 0.5):
        assert binom.ppf(0.0005, SEEDS, level) <= (np.array(p) <= level).sum() <= binom.ppf(0.9995, SEEDS, level)


def test_the_classifier_sees_shifts_and_changed_spreads() -> None:
    generator = np.random.default_rng(0)
    before = generator.normal(size=(300, 6))
    shifted, spread = generator.normal(0.8, 1, (60, 6)), generator.normal(0, 2, (60, 6))
    for now in (shifted, spread):
        found = compare_coordinates(before, now, 0)
        assert found.p == 0.001
        assert found.effect > 0.8
        assert found.low < found.effect < found.high


def test_the_effects_are_those_worked_out_by_hand() -> None:
    assert compare_shares(50, 100, 0, 40).effect == pytest.approx(np.pi / 2)
    assert compare_numbers(np.arange(10.0), np.arange(5.0, 15)).effect == pytest.approx(0.5)
    before, now = np.array(["JPEG"] * 8 + ["PNG"] * 2), np.array(["JPEG"] * 5 + ["GIF"] * 5)
    assert compare_categories(before, now, 0).effect == pytest.approx(0.5)


def test_fewer_unfamiliar_images_are_no_drift() -> None:
    fewer = compare_shares(50, 100, 0, 100, only_more=True)
    assert (fewer.effect, fewer.p) == (0, 1)


def test_a_word_never_seen_counts_though_none_were_expected() -> None:
    before, now = np.array(["JPEG"] * 2000), np.array(["JPEG"] * 15 + ["WEBP"] * 5)
    found = compare_categories(before, now, 0)
    assert found.p == 1e-4
    assert found.large_enough


def test_with_a_hundred_thousand_images_a_trifle_is_significant_but_no_drift() -> None:
    generator = np.random.default_rng(0)
    before, now = generator.normal(0, 1, 100_000), generator.normal(0.05, 1, 100_000)
    number, share = compare_numbers(before, now), compare_shares(20_000, 100_000, 21_000, 100_000)
    for found in (number, share):
        assert found.p < 1e-6
        assert not found.large_enough
        assert not DriftComparison("properties", "width", None, 0, 0, 0, 0, found, found.p).drifted


def test_p_is_corrected_within_each_family_and_for_the_three_of_them() -> None:
    def one(family: str, p: float) -> DriftComparison:
        return DriftComparison(family, "x", None, 0, 0, 0, 0, TwoSampleResult("h", 1.0, p))  # type: ignore[arg-type]

    corrected = correct([one("properties", 0.001), one("properties", 0.01), one("features", 0.002)])
    assert [round(one.p, 6) for one in corrected] == [0.006, 0.006, 0.03]
    assert [one.drifted for one in corrected] == [True, True, False]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ood_bundle(tmp_path_factory.mktemp("model") / "bundle")


def save_pictures(folder: Path, pictures: Pixels, suffix: str = "png") -> Path:
    folder.mkdir()
    for place, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{place}.{suffix}")
    return folder


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.load(bundle)


@pytest.fixture
def drifted(predictor: Predictor, tmp_path: Path) -> Callable[..., set[str]]:
    """What is called drifted of a folder with these pictures."""

    def run(pictures: Pixels, suffix: str = "png") -> set[str]:
        folder = save_pictures(tmp_path / "new", pictures, suffix)
        observed = observe(predictor, sorted(folder.iterdir()))
        assert len(observed) == len(pictures)
        return {one.name for one in compare_with_training(predictor, observed) if one.drifted}

    return run


@pytest.mark.parametrize(("darker", "expected"), [(1, set()), (2, {"brightness", "contrast", "present"})])
def test_the_command_draws_and_says_in_json_what_has_drifted(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], darker: int, expected: set[str]
) -> None:
    folder, out = save_pictures(tmp_path / "new", training_like_pictures(60, seed=50) // darker), tmp_path / "drift.png"
    assert main(["drift", str(folder), "--bundle", str(bundle), "--out", str(out), "--json"]) == 0
    assert out.stat().st_size > 10_000
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == 60
    found = {one["name"] for one in said["comparisons"] if one["drifted"]}
    assert said["drifted"] == bool(found) == bool(expected)
    assert expected <= found


def test_grey_pictures_have(drifted: Callable[..., set[str]]) -> None:
    grey = training_like_pictures(60, seed=50).mean(axis=3, keepdims=True).astype(np.uint8)
    found = drifted(np.repeat(grey, 3, axis=3))
    assert {"told apart", "colour"} <= found


def test_pictures_of_another_world_are_unfamiliar(drifted: Callable[..., set[str]]) -> None:
    found = drifted(training_like_pictures(60, seed=50)[..., [2, 1, 0]])  # red and blue change places
    assert {"unfamiliar", "told apart"} <= found


def test_another_format_is_called_by_its_name_and_nothing_else_is(drifted: Callable[..., set[str]]) -> None:
    assert drifted(training_like_pictures(60, seed=50), "bmp") == {"format PNG", "bytes"}


def test_another_mix_of_classes_shows_in_what_is_predicted(drifted: Callable[..., set[str]]) -> None:
    many = training_like_pictures(900, seed=50)
    means = many.mean(axis=(1, 2))
    bluish = many[means[:, 2] > means[:, 1]][:60]  # one in six is
    assert {"blue", "green"} <= drifted(bluish)


def test_the_table_says_it_line_by_line_and_names_what_cannot_be_read(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_pictures(tmp_path / "new", training_like_pictures(40, seed=50) // 3)
    (folder / "broken.png").write_bytes(b"no image")
    assert main(["drift", str(folder), "--bundle", str(bundle), "--out", str(tmp_path / "drift.png")]) == 0
    said = capsys.readouterr()
    (brightness,) = [line for line in said.out.splitlines() if line.lstrip().startswith("brightness")]
    assert brightness.split()[0] == "brightness"
    assert brightness.endswith("  drifted")
    (width,) = [line for line in said.out.splitlines() if line.lstrip().startswith("width")]
    assert width.split() == ["width", "32", "32", "D", "0.00", "no", "drift", "shown"]
    assert said.out.startswith("40 images beside those of training: drifted in ")
    assert f"error: {folder / 'broken.png'}: not an image of a known format" in said.err


def test_a_target_of_many_classes_keeps_its_lines_few_but_hides_no_drift() -> None:
    targets = Targets((Target("kind", "categorical", tuple(f"class {n}" for n in range(40))),))
    generator = np.random.default_rng(0)
    before, now = generator.integers(0, 40, (1000, 1)), generator.integers(0, 40, (1000, 1))
    now[:200] = 7
    lines = drift_table(correct(list(compare_decisions(targets, before, now, 1)))).splitlines()
    assert sum(line.startswith("  kind class") for line in lines) == 6
    assert [line.split()[2] for line in lines if line.endswith("  drifted")] == ["7"]
    assert "  34 more classes: no drift shown" in lines


@pytest.mark.parametrize("n", [0, 19])
def test_too_few_images_are_refused_in_one_line(
    bundle: Path, tmp_path: Path, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_pictures(tmp_path / "new", training_like_pictures(n, seed=50))
    (folder / "broken.png").write_bytes(b"no image")
    assert main(["drift", str(folder), "--bundle", str(bundle)]) == 1
    assert capsys.readouterr().err == (
        f"error: drift needs at least 20 images that can be read, received {n} and 1 that cannot\n"
    )


def test_a_bundle_of_before_has_nothing_to_compare_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = write_tiny_bundle(tmp_path / "old")
    Image.fromarray(np.zeros((SIZE, SIZE, 3), np.uint8)).save(tmp_path / "one.png")
    assert main(["drift", str(tmp_path / "one.png"), "--bundle", str(old)]) == 1
    assert "says nothing of its training images; make it again" in capsys.readouterr().err


def test_a_picture_of_no_known_kind_is_refused_before_any_image_is_read(bundle, tmp_path, capsys) -> None:
    assert main(["drift", str(tmp_path / "nowhere"), "--bundle", str(bundle), "--out", str(tmp_path / "d.txt")]) == 1
    assert capsys.readouterr().err.endswith("d.txt: expected a file name ending in .png, .svg, .pdf\n")
