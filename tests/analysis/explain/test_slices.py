import numpy as np
import pytest
from PIL import Image

from lacuna.analysis.explain.plots import plot_slices
from lacuna.analysis.explain.slices import (
    FEWEST_IN_SLICE,
    Partition,
    Slice,
    examine_slices,
    into_thirds,
    partition_images,
)
from lacuna.calibration.cross_fit import Judgement
from lacuna.core.files_table import FileInfo
from lacuna.core.targets import Target, Targets
from tests.simulated_predictions import EVALUATE

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))


def judged(target, right, known=None):
    """A judgement that is right where `right` says so."""
    labels = np.ones(len(right), np.int16)
    if known is not None:
        labels[~known] = -1
    decisions = np.where(right, 1, 0)
    return Judgement(target, labels, np.full((len(right), target.n_classes), 0.5), decisions, np.ones(len(right)))


def simulate(seed, n=400, copies=0.25):
    """Groups, of which some images are copies, and eight cuts that copies share."""
    generator = np.random.default_rng(seed)
    originals = n - int(n * copies)
    group = np.concatenate([np.arange(originals), generator.integers(0, originals, n - originals)])
    cuts = [Partition(f"cut {i}", ("a", "b", "c"), generator.integers(0, 3, originals)[group]) for i in range(8)]
    return generator, group, cuts, originals


@pytest.mark.slow
def test_on_noise_false_claims_stay_within_alpha():
    """Copies are right or wrong together, which would make any test that takes them for new images claim too much."""
    claims = 0
    for seed in range(200):
        generator, group, cuts, originals = simulate(seed)
        judgements = [judged(target, (generator.random(originals) < 0.8)[group]) for target in (KIND, RED)]
        claims += any(one.shown for one in examine_slices(judgements, cuts, group, EVALUATE))
    assert claims <= 16  # of 200 at alpha .05: 10 expected at most, more than 16 has a chance of 2 %


def test_a_planted_bad_slice_is_found_by_name_and_no_other():
    found = 0
    for seed in range(20):
        generator, group, cuts, originals = simulate(seed)
        chance = np.where(cuts[3].member == 1, 0.6, 0.92)
        right = generator.random(originals)[group] < chance
        fine = (generator.random(originals) < 0.8)[group]
        slices = examine_slices([judged(KIND, right), judged(RED, fine)], cuts, group, EVALUATE)
        shown = [(one.target, one.title) for one in slices if one.shown]
        found += shown[:1] == [("kind", "cut 3: b")]
        assert slices[0].low < slices[0].difference < slices[0].high
    assert found >= 19


def test_the_figures_of_a_slice_by_hand():
    """60 images in 50 groups: inside 15 of 30 right, outside 27 of 30; unknown labels and members count nowhere."""
    right = np.array([True] * 15 + [False] * 15 + [True] * 27 + [False] * 3 + [False] * 20)
    known = np.array([True] * 60 + [False] * 10 + [True] * 10)
    member = np.array([0] * 30 + [1] * 30 + [0] * 10 + [-1] * 10)
    group = np.arange(80)
    group[20:30] = group[10:20]  # ten copies inside: the images 10 to 14 right, 15 to 19 wrong
    slices = examine_slices(
        [judged(KIND, right, known)], [Partition("light", ("dark", "bright"), member)], group, EVALUATE
    )
    dark = next(one for one in slices if one.name == "dark")
    assert (dark.images, dark.groups, dark.accuracy, dark.rest) == (30, 20, 0.5, 0.9)
    # One image a group: 15 of 20 inside, 27 of 30 outside. P(at most 15 of 20 | 42 of 50) by the hypergeometric.
    from math import comb

    chance = sum(comb(42, hits) * comb(8, 20 - hits) for hits in range(12, 16)) / comb(50, 20)
    assert dark.p == pytest.approx(chance)
    assert dark.adjusted == pytest.approx(2 * chance)
    bright = next(one for one in slices if one.name == "bright")
    assert bright.difference == pytest.approx(0.4)
    assert not bright.shown


def test_small_slices_are_not_looked_at():
    right, group = np.ones(100, dtype=bool), np.arange(100)
    for size, tested in ((FEWEST_IN_SLICE - 1, 0), (FEWEST_IN_SLICE, 2)):
        cut = Partition("format", ("PNG", "GIF"), (np.arange(100) < size).astype(int))
        assert len(examine_slices([judged(KIND, right)], [cut], group, EVALUATE)) == tested
        group_of_copies = np.where(cut.member == 1, 0, group)
        assert examine_slices([judged(KIND, right)], [cut], group_of_copies, EVALUATE) == []


def test_the_same_images_are_one_slice_whatever_they_are_called():
    member = np.arange(100) % 2
    cuts = [Partition("family", ("bag", "shoe"), member), Partition("article", ("handbag", "boot"), member)]
    slices = examine_slices([judged(KIND, member == 0)], cuts, np.arange(100), EVALUATE)
    assert [(one.title, one.shown) for one in slices] == [("family: shoe", True), ("family: bag", False)]
    assert slices[0].adjusted == pytest.approx(2 * slices[0].p)


def test_images_are_cut_by_size_light_format_and_the_other_targets():
    images = np.zeros((80, 4, 4, 3), np.uint8)
    images[20:] = (np.arange(60) * 7 % 60 * 4)[:, None, None, None]
    row = np.arange(20, 80)
    files = [FileInfo(f"{i}.png", "JPEG" if i % 2 else "PNG", "RGB", 100 * (1 + i // 20), 100, 5000) for i in range(60)]
    labels = np.stack([np.arange(60) % 3, np.arange(60) % 3 - 1], axis=1)
    partitions = partition_images(Targets((KIND, RED)), labels, files, images, row, "stretch")
    cuts = {partition.by: partition for partition in partitions}
    assert list(cuts) == ["image size", "brightness", "format", "kind", "red"]
    assert cuts["image size"].names == ("up to 100 px", "100 to 141 px", "above 141 px")
    assert cuts["image size"].member.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert cuts["brightness"].names[0] == "up to 30 %"
    assert np.bincount(cuts["brightness"].member).tolist() == [20, 20, 20]
    assert cuts["format"].names == ("JPEG", "PNG")
    assert cuts["format"].member.tolist() == [1, 0] * 30
    assert cuts["red"].member.tolist() == [-1, 0, 1] * 20
    right = np.ones(60, dtype=bool)
    looked_at = {one.by for one in examine_slices([judged(KIND, right)], list(cuts.values()), row, EVALUATE)}
    assert looked_at == {"image size", "brightness", "format", "red"}


def test_values_that_do_not_differ_are_not_cut():
    assert into_thirds("image size", np.full(9, 72.0), "px").names == ("all",)
    cut = into_thirds("image size", np.array([72.0] * 8 + [100.0]), "px")
    assert cut.names == ("up to 72 px", "above 72 px")
    assert cut.member.tolist() == [0] * 8 + [1]


def test_only_slices_that_are_worse_are_drawn_in_colour(tmp_path):
    for shown in (False, True):
        one = Slice("red", "format", "PNG", 40, 38, 0.6, 0.8, -0.3, -0.1, 0.001, 0.01, shown)
        plot_slices(tmp_path / "slices.png", [one], 0.95)
        with Image.open(tmp_path / "slices.png") as image:
            pixels = np.asarray(image.convert("RGB")).astype(int)
        assert (np.ptp(pixels, axis=2) > 30).any() == shown
        assert pixels.min() < 60
