"""Rates by which costs can be worked out by hand."""

from lacuna.estimate.image_rates import ImageRates
from lacuna.estimate.learning_rates import HeadRates, IntervalRates, LearningRates
from lacuna.estimate.network_rates import NetworkRates
from lacuna.estimate.rates import CostLine, Decoding
from lacuna.estimate.stage_costs import Rates

RATES = Rates(
    images=ImageRates(
        own=True,
        decoding=Decoding(elapsed=0.02, busy=0.01, file_bytes=20_000),
        compare=CostLine(0.5, 0.001),
        light=0.0001,
        pixels=CostLine(0, 0.0002),
        hashed=1e-9,
    ),
    prepare=CostLine(0, 1e-5),
    table_targets=2,
    network=NetworkRates(forward=0.02, columns=100, step=0.01, ahead=0.002, seen=(224, 224, 3), boundary=(7, 7, 10)),
    learning=LearningRates(
        head=HeadRates(products=1e-9, axes=1e-9, validate=1e-7, solve=1e-8, read=1e-9, streamed=1e-10),
        shares=IntervalRates(0, 0, 0, 0),
        calibrate=IntervalRates(0, 0, 0, 0),
        evaluate=IntervalRates(once=1, image=1e-4, replicate=0.01, both=1e-6),
        audit=CostLine(0, 0.001),
    ),
)
