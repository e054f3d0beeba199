"""What was measured and what follows from it, as text: a line for each rate, a table with one for each stage."""

from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from lacuna.config.params import Params
from lacuna.errors import LacunaError
from lacuna.estimate.measure import measure_rates
from lacuna.estimate.scale import Scale
from lacuna.estimate.stage_costs import Rates, StageCost, extrapolate, plan_views
from lacuna.io.machine import describe_machine
from lacuna.io.plurals import number_of
from lacuna.io.text_table import align

GB = 1e9

NOTES = (
    "processor h: of one core. Decoding, backbone, fine-tuning and the heads of several targets use all cores.",
    "memory, disk and read: computed from shapes, and from bytes of an image measured once (docs/scale.md).",
    "read: what comes over the network where the files are elsewhere.",
    "grows: the law; n are the images. Replicates of intervals look at 20,000 groups, however many there are.",
    "No GPU is measured here; featurize runs the backbone on processors.",
    "Left out: start-up (seconds a stage), stages that do not grow with the images, and what other data need:",
    "heads of classes that are hard to separate take more steps, look-alikes that are no copies more comparisons.",
)
"""What the figures are, and what they leave out."""


@dataclass(frozen=True)
class Prices:
    """In whatever currency: of an hour of one processor core and of a GPU, of a gigabyte kept for a month.

    None of what has none. Raises LacunaError, naming the option, for one below 0.
    """

    cpu_hour: float | None = None
    gpu_hour: float | None = None
    gb_month: float | None = None

    def __post_init__(self) -> None:
        for name, price in vars(self).items():
            if price is not None and not 0 <= price < float("inf"):
                raise LacunaError(f"--{name.replace('_', '-')} {price:g}: expected a price, 0 or more")


def report_estimate(params: Params, images: Sequence[int], targets: int | None, classes: int, prices: Prices) -> str:
    """Measure this machine once and say what each number of `images` would cost. targets: None for as many as
    params.yaml names.

    Raises LacunaError when a number is below what can be, or the backbone cannot be built.
    """
    n_targets = len(params.data.targets) or 1 if targets is None else targets
    scales = [Scale(params, n, n_targets, classes) for n in images]
    rates = measure_rates(scales[0])
    parts = [describe_rates(rates, scales[0])]
    for scale in scales:
        what = f"{number_of(scale.images, 'image')}, {number_of(n_targets, 'target')} of {classes} classes"
        costs = extrapolate(rates, scale)
        limits = "\n".join(limits_of(costs, plan_views(rates.network, scale)[0], scale, prices))
        parts.append(f"{what}, extrapolated\n{cost_table(costs, prices)}\n{limits}")
    return "\n\n".join([*parts, "\n".join(NOTES)])


def describe_rates(rates: Rates, scale: Scale) -> str:
    """What was measured, a line each."""
    images, network, head, params = rates.images, rates.network, rates.learning.head, scale.params
    machine = describe_machine()
    file = "images of data.path" if images.own else "fabricated photos, as data.path has no image files"
    sizes = " and ".join(map(str, params.features.seen(params.data.image_size)))
    names = " and ".join(name for one in params.backbone.each() for name in one.names)
    evaluate = rates.learning.evaluate.both / len(scale.measured_targets())
    lines = [
        (
            "decoding",
            f"{figure(1e3 * images.decoding.busy)} ms a file",
            f"{figure(images.decoding.file_bytes / 1e3)} kB, {file}",
        ),
        ("finding duplicates", f"{figure(1e3 * images.compare.each)} ms an image", "noise, all different"),
        ("hashing", f"{figure(1e-6 / images.hashed)} MB a second", "MD5, from memory"),
        ("prepare", f"{figure(1e6 * rates.prepare.each)} µs a row", f"of {number_of(rates.table_targets, 'target')}"),
        (
            "backbone",
            f"{figure(1e3 * network.forward)} ms a view",
            f"{names} at {sizes} px, {network.columns:,} columns",
        ),
        (
            "fine-tuning",
            f"{figure(1e3 * network.step)} ms a step",
            "an image through the layers above the freeze boundary",
        ),
        ("head", f"{figure(1e9 * (head.validate + head.solve))} ns", "an image · column · logit, cross-validated"),
        ("intervals", f"{figure(1e9 * evaluate)} ns", "an image · replicate · target, in evaluate"),
    ]
    where = f"measured here: {machine['cpu']}, {number_of(int(machine['cpu_count']), 'core')}, in time of one core"
    return f"{where}\n{align(lines, left=(0, 2))}"


def cost_table(costs: Sequence[StageCost], prices: Prices) -> str:
    """A row for each stage and one for all: used time and disk added up, memory at its highest; money by the prices."""
    header = ["stage", "processor h", "memory GB", "disk GB", "read GB"]
    header += ["processors"] * (prices.cpu_hour is not None) + ["disk a month"] * (prices.gb_month is not None)
    total = StageCost(
        "all",
        sum(cost.seconds for cost in costs),
        max(cost.memory for cost in costs),
        sum(cost.disk for cost in costs),
        sum(cost.read for cost in costs),
        "",
    )
    return align([[*header, "grows"], *(_row(cost, prices) for cost in (*costs, total))], left=(0, -1))


def _row(cost: StageCost, prices: Prices) -> list[str]:
    hours, disk = cost.seconds / 3600, cost.disk / GB
    cells = [hours, cost.memory / GB, disk, cost.read / GB]
    cells += [] if prices.cpu_hour is None else [hours * prices.cpu_hour]
    cells += [] if prices.gb_month is None else [disk * prices.gb_month]
    return [cost.stage, *map(figure, cells), cost.law]


def figure(value: float) -> str:
    """Two or three digits that count, so that columns from minutes to years can be read.

    >>> [figure(value) for value in (0, 0.004, 1.234, 12.34, 1234.5)]
    ['0', '<0.01', '1.23', '12.3', '1,234']
    """
    if value == 0:
        return "0"
    if value < 0.01:
        return "<0.01"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def limits_of(costs: Sequence[StageCost], views: int, scale: Scale, prices: Prices) -> list[str]:
    """What GPUs would take, as a formula, and which stages do not fit into the memory of this machine."""
    here = psutil.virtual_memory().total
    hours = scale.images * views / 3600
    money = "" if prices.gpu_hour is None else f", which cost {hours * prices.gpu_hour:,.0f} / (images per second)"
    lines = [
        f"backbone on a GPU: images · views / (images per second) = {hours:,.0f} / (images per second) hours{money}"
    ]
    beyond = [f"{cost.stage} ({figure(cost.memory / GB)} GB)" for cost in costs if cost.memory > here]
    if beyond:
        lines.append(f"beyond the {here / GB:.0f} GB of memory here: {', '.join(beyond)}; docs/scale.md says what then")
    return lines
