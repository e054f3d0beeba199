"""Where labels are missing: together with those of other targets, and more often under some classes than others.

Images of a group may lose their labels together, so the tests allow for that much more chance (Rao and Scott 1984).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.core.groups import distinct
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import UNKNOWN, Targets
from lacuna.io.plurals import number_of
from lacuna.stats.association import Crosstab, chi_square, cramers_v, crosstab, phi
from lacuna.stats.multiple_testing import holm
from lacuna.stats.numbers import in_percent

SMALLEST_EXPECTED = 5
"""Classes of which fewer groups are expected on either side are pooled: the chi-square distribution asks for it."""

NOTABLE = 0.1
"""Weaker effects (phi, Cramér's V; "small" by Cohen 1988) are in the tables, not in words."""


DENSE_CELLS = 2**18
"""Groups times classes up to which a full matrix is faster than a sparse one."""


class Together(NamedTuple):
    """How much oftener (phi above 0) or rarer two targets are unknown in the same image than by chance.

    `both` of the images are unknown in both, `one_only` and `other_only` in one of them. `p_holm` is corrected for the
    number of pairs.
    """

    one: str
    other: str
    phi: float
    both: int
    one_only: int
    other_only: int
    p: float
    p_holm: float


class Dependence(NamedTuple):
    """Whether a target's being unknown depends on the class of another one, among images where that is known.

    `effect` is the bias-corrected Cramér's V, `p_holm` corrected for the number of pairs.
    `class_name` is the class that departs most from the rest: `unknown` of its `images` lack the label, of the other
    classes' `rest` images `rest_unknown`.
    """

    target: str
    given: str
    effect: float
    p: float
    p_holm: float
    class_name: str
    images: int
    unknown: int
    rest: int
    rest_unknown: int


def missing_together(labels: Labels, group: NDArray[np.int64], targets: Targets) -> list[Together]:
    """Every pair of targets that are both known in some images and unknown in others, strongest first."""
    missing = (labels == UNKNOWN).astype(np.int16)
    gappy = [column for column in range(len(targets)) if 0 < missing[:, column].mean() < 1]
    found = []
    group = np.unique(group, return_inverse=True)[1]
    for i, j in combinations(gappy, 2):
        table = crosstab(missing[:, i], missing[:, j], 2, 2)
        value, tested = phi(table), independence(missing[:, i], missing[:, j], group)
        if value is not None:
            p = _exact(missing[:, i], missing[:, j], group) if tested is None else tested.p
            names = targets[i].name, targets[j].name
            found.append(Together(*names, value, int(table[1, 1]), int(table[1, 0]), int(table[0, 1]), p, 1.0))
    corrected = holm([pair.p for pair in found])
    found = [pair._replace(p_holm=p) for pair, p in zip(found, corrected, strict=True)]
    return sorted(found, key=lambda pair: (-abs(pair.phi), pair.one, pair.other))


def missing_by_class(labels: Labels, group: NDArray[np.int64], targets: Targets) -> list[Dependence]:
    """Every pair of targets of which the first has gaps and the second enough known classes, strongest effect first."""
    missing = (labels == UNKNOWN).astype(np.int16)
    found = []
    group = np.unique(group, return_inverse=True)[1]
    for i, j in permutations(range(len(targets)), 2):
        given = targets[j]
        known = labels[:, j] >= 0
        tested = independence(missing[known, i], labels[known, j], group[known])
        if tested is None:
            continue
        table = crosstab(missing[:, i], labels[:, j], 2, given.n_classes)
        column = int(np.argmax(np.abs(residuals(table))))
        images, unknown = table.sum(axis=0), table[1]
        counts = images[column], unknown[column], images.sum() - images[column], unknown.sum() - unknown[column]
        names = targets[i].name, given.name
        found.append(Dependence(*names, *tested, 1.0, given.classes[column], *map(int, counts)))
    corrected = holm([pair.p for pair in found])
    found = [pair._replace(p_holm=p) for pair, p in zip(found, corrected, strict=True)]
    return sorted(found, key=lambda pair: (-pair.effect, pair.target, pair.given))


class Tested(NamedTuple):
    """Bias-corrected Cramér's V of a table, and how often chance alone makes its classes differ as much."""

    effect: float
    p: float


def independence(missing: Labels, classes: Labels, group: NDArray[np.int64]) -> Tested | None:
    """Test whether `missing` (0 or 1) has the same share in all `classes`; aligned `(n,)`, all known; groups are whole
    numbers from 0.

    Pearson's chi-square with the second-order correction of Rao and Scott (1984): under independence it is a weighted
    sum of chi-squares, the weights telling by how much groups inflate the variance of each contrast between classes;
    it is scaled to the sum's mean and variance (Satterthwaite). None where fewer than two classes can be compared.
    """
    from scipy.special import chdtrc  # slow to import

    if len(missing) == 0 or missing.min() == missing.max():
        return None
    kept, classes = _pool(missing, classes, group)
    missing, classes, group = missing[kept], classes[kept], group[kept]
    table = crosstab(missing, classes, 2, int(classes.max(initial=0)) + 1)
    effect = cramers_v(table)
    if effect is None:
        return None
    n, share = len(missing), table.sum(axis=0) / len(missing)
    rate = missing.mean()
    # Of each group and class the sum of (one if of that class, else 0, less the class's share) x (missing less rate).
    deviation = missing - rate
    of_group = np.bincount(group, deviation).astype(np.float64)
    sums, squares = _sum_up(deviation, classes, group, len(share), of_group)
    shared = np.outer(sums, share)
    covariance = squares - shared - shared.T + (of_group @ of_group) * np.outer(share, share)
    if_independent = n * rate * (1 - rate) * (np.diag(share) - np.outer(share, share))
    ratio = np.linalg.solve(if_independent[1:, 1:], covariance[1:, 1:])
    degrees = len(share) - 1
    mean = max(1.0, np.trace(ratio) / degrees)
    spread = max(1.0, np.trace(ratio @ ratio) / degrees / mean**2)
    return Tested(effect, float(chdtrc(degrees / spread, chi_square(table) / (mean * spread))))


def notable(by_class: Sequence[Dependence], alpha: float) -> list[Dependence]:
    """The dependences that are significant and of some size, strongest first; of each target the strongest."""
    found: dict[str, Dependence] = {}
    for dependence in by_class:
        if dependence.p_holm < alpha and dependence.effect >= NOTABLE:
            found.setdefault(dependence.target, dependence)
    return list(found.values())


def describe_by_class(by_class: Sequence[Dependence], alpha: float) -> list[str]:
    """A sentence for each notable dependence."""
    return [
        f"{dependence.target} is unknown for {in_percent(dependence.unknown, dependence.images)} of the images "
        f"where {dependence.given} is {dependence.class_name}, "
        f"for {in_percent(dependence.rest_unknown, dependence.rest)} of the others"
        for dependence in notable(by_class, alpha)
    ]


def describe_together(together: Sequence[Together], alpha: float) -> list[str]:
    """A sentence for each two targets that are unknown together notably more often, or more seldom, than by chance."""
    return [
        f"{pair.one} and {pair.other} are unknown together {'more often' if pair.phi > 0 else 'more seldom'} than by "
        f"chance: both in {number_of(pair.both, 'image')}, {pair.one} alone in {pair.one_only:,}, {pair.other} alone "
        f"in {pair.other_only:,}"
        for pair in together
        if pair.p_holm < alpha and abs(pair.phi) >= NOTABLE
    ]


def missing_patterns(labels: Labels, targets: Targets) -> list[tuple[tuple[str, ...], int]]:
    """Which targets are unknown together, and in how many images; the commonest first."""
    counts = Counter(map(tuple, (labels == UNKNOWN).tolist()))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(tuple(name for name, gone in zip(targets.names, gaps, strict=True) if gone), n) for gaps, n in ordered]


def _exact(one: Labels, other: Labels, group: NDArray[np.int64]) -> float:
    """Fisher's exact test on the first image of each group, for gaps too few for a chi-square."""
    from scipy.stats import fisher_exact  # slow to import

    first = np.unique(group, return_index=True)[1]
    return float(fisher_exact(crosstab(one[first], other[first], 2, 2)).pvalue)


def _sum_up(
    deviation: Floats, classes: Labels, group: NDArray[np.int64], n_classes: int, of_group: Floats
) -> tuple[Floats, Floats]:
    """With the sum of deviations in each group and class as a matrix S (n_groups, n_classes): S' x of_group, S' x S."""
    if len(of_group) * n_classes <= DENSE_CELLS:
        cells = group * n_classes + classes
        summed = np.bincount(cells, deviation, minlength=len(of_group) * n_classes)
        dense = summed.astype(np.float64).reshape(-1, n_classes)
        return dense.T @ of_group, dense.T @ dense
    from scipy.sparse import csr_array  # slow to import

    sparse = csr_array((deviation, (group, classes)), shape=(len(of_group), n_classes))
    return np.asarray(sparse.T @ of_group), (sparse.T @ sparse).toarray()


def _pool(missing: Labels, classes: Labels, group: NDArray[np.int64]) -> tuple[NDArray[np.bool_], Labels]:
    """Make classes of few groups one, or leave them out; return which images are kept, and all images' new classes.

    It looks at the margins of the table alone, so the test stays valid.
    """
    n_classes = int(classes.max()) + 1
    occupied = distinct(group * n_classes + classes)  # a group and a class that have images in common
    rarer = min(missing.mean(), 1 - missing.mean())
    expected = np.bincount(occupied % n_classes, minlength=n_classes) * rarer
    large = expected >= SMALLEST_EXPECTED
    new = np.cumsum(large) - 1
    new[~large] = large.sum()
    together_enough = expected[~large].sum() >= SMALLEST_EXPECTED
    return large[classes] | together_enough, new[classes].astype(np.int16)


def residuals(table: Crosstab) -> Floats:
    """How far each column of a 2 x k table departs from the rest, in standard deviations (Haberman 1973): `(k,)`."""
    n, columns = table.sum(), table.sum(axis=0)
    share = table[1].sum() / n
    deviation = table[1] - columns * share
    scaled: Floats = deviation / np.sqrt(np.maximum(columns * share * (1 - share) * (1 - columns / n), 1e-12))
    return scaled
