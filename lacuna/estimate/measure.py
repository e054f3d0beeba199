"""All rates, measured one after the other on this machine in well under a minute of processor time."""

import contextlib
import io
import sys

from lacuna.estimate.image_rates import measure_images
from lacuna.estimate.learning_rates import measure_learning
from lacuna.estimate.network_rates import measure_network
from lacuna.estimate.scale import Scale
from lacuna.estimate.stage_costs import Rates
from lacuna.estimate.table_rates import MOST_TABLE_TARGETS, measure_prepare


def measure_rates(scale: Scale) -> Rates:
    """Measure what `stage_costs.extrapolate` needs; says on stderr what is being measured.

    Raises LacunaError when the backbone of params.yaml cannot be built.
    """
    params, targets, of_table = scale.params, scale.measured_targets(), scale.measured_targets(MOST_TABLE_TARGETS)
    print("measuring images, labels, learning and the network", file=sys.stderr, flush=True)
    with contextlib.redirect_stderr(io.StringIO()):  # a bar for each measurement tells nothing
        return Rates(
            images=measure_images(params.data),
            prepare=measure_prepare(of_table, params),
            table_targets=len(of_table),
            learning=measure_learning(targets, params),
            network=measure_network(params),
        )
