"""How the weights descend: optimizers, the learning rate over time and depth, and a moving average of the weights."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lacuna.config.blocks import Optimizer
from lacuna.features.backend import flat_layers, keras, ops
from lacuna.features.freeze_boundary import block_depths

RAMP_OF_AVERAGE = 9
"""With every step the decay of the moving average rises towards its final value as step / (step + 9)."""


class Descent(keras.Optimizer):  # type: ignore[misc]
    """What is mixed into Keras' optimizers: a learning rate per variable, weight decay, an average of the weights.

    factors: what the learning rate is multiplied by, one per variable that the optimizer is built for.

    weight_decay: before each step a variable loses this share of itself, times its own learning rate (decoupled from
    the gradient, Loshchilov & Hutter 2019). Keras' would take the same rate for all. Biases and the factors of batch
    normalization, all that has one axis, are spared: the biases of the logits hold the log prior.

    average: decay d of a moving average of the variables, a + (1 - d) (w - a) after each step (Polyak & Juditsky 1992).
    It starts at the weights as they came, and d rises over the steps t as t / (t + 9) up to `average`, so that it holds
    about the last tenth of a short training instead of its beginning. 0 keeps none.
    """

    factors: list[float]
    averages: list[Any]

    def __init__(self, *args: Any, factors: list[float], decoupled_decay: float, average: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.factors = factors
        self.decoupled_decay = decoupled_decay
        self.average = average
        self.averages = []

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        if len(variables) != len(self.factors):
            raise ValueError(f"expected a factor for each of {len(variables)} variables, received {len(self.factors)}")
        if self.average:
            self.averages = self.add_optimizer_variables(variables, "average")
            for average, variable in zip(self.averages, variables, strict=True):
                average.assign(variable)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype) * self.factors[self._get_variable_index(variable)]
        if self.decoupled_decay and len(variable.shape) > 1:
            self.assign_sub(variable, variable * (rate * self.decoupled_decay))
        super().update_step(gradient, variable, rate)

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        super().apply(grads, trainable_variables)
        if self.average:
            step = ops.cast(self.iterations, "float32")
            kept = ops.minimum(step / (step + RAMP_OF_AVERAGE), self.average)
            for average, variable in zip(self.averages, self._trainable_variables, strict=True):
                average.assign(average + ops.cast(1 - kept, average.dtype) * (variable - average))


class Adam(Descent, keras.optimizers.Adam):  # type: ignore[misc]
    """Adam, and with weight decay AdamW."""


class SGD(Descent, keras.optimizers.SGD):  # type: ignore[misc]
    """Gradient descent with Nesterov's momentum."""


def adam(options: Optimizer, **descent: Any) -> Descent:
    return Adam(decoupled_decay=0.0, **descent)


def adamw(options: Optimizer, **descent: Any) -> Descent:
    return Adam(decoupled_decay=options.weight_decay, **descent)


def sgd(options: Optimizer, **descent: Any) -> Descent:
    return SGD(
        momentum=options.momentum,
        nesterov=options.momentum > 0,
        decoupled_decay=options.weight_decay,
        **descent,
    )


OPTIMIZERS: dict[str, Callable[..., Descent]] = {"adam": adam, "adamw": adamw, "sgd": sgd}
"""By the names that `optimizer.name` may have: options and what `Descent` takes for all of them → the optimizer."""


def constant(options: Optimizer, learning_rate: float, steps: int) -> float:
    return learning_rate


def cosine(options: Optimizer, learning_rate: float, steps: int) -> Any:
    """From 0 to `learning_rate` in the first `ramp` of the steps, then to 0 along half a cosine (Loshchilov & Hutter
    2017)."""
    steps = max(steps, 1)
    ramp = min(round(options.ramp * steps), steps - 1)
    if not ramp:
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(0.0, steps - ramp, warmup_target=learning_rate, warmup_steps=ramp)


def epochs_of_rise(options: Optimizer, epochs: int) -> int:
    """In how many of a phase's epochs the learning rate rises, the one in which it reaches its height included."""
    return math.ceil(round(options.ramp * epochs, 9)) if options.schedule == "cosine" else 0


def keep_rate(optimizer: keras.Optimizer, options: Optimizer, epochs_without_better: int) -> None:
    """Between epochs the learning rate stays as it is."""


def lower_on_plateau(optimizer: keras.Optimizer, options: Optimizer, epochs_without_better: int) -> None:
    """Lower the learning rate each time that `plateau_patience` more epochs passed without a better one.

    The lowered rate is one of the optimizer's variables, so a checkpoint of those holds it.
    """
    if epochs_without_better and epochs_without_better % options.plateau_patience == 0:
        optimizer.learning_rate = float(ops.convert_to_numpy(optimizer.learning_rate)) * options.plateau_factor


@dataclass(frozen=True)
class Schedule:
    """The learning rate over time. rate: options, the phase's learning rate and its number of steps → a number or a
    function of the step. after_epoch: what is done to the optimizer after each epoch, given how many have passed
    without a better one."""

    rate: Callable[[Optimizer, float, int], Any]
    after_epoch: Callable[[keras.Optimizer, Optimizer, int], None] = keep_rate


SCHEDULES = {
    "constant": Schedule(constant),
    "cosine": Schedule(cosine),
    "plateau": Schedule(constant, lower_on_plateau),
}
"""By the names that `optimizer.schedule` may have."""


def make_optimizer(
    options: Optimizer, model: keras.Model, learning_rate: float, steps: int, factors: Mapping[str, float]
) -> keras.Optimizer:
    """Build the optimizer for what is trainable in `model`.

    steps: of the whole phase; a cosine schedule ends with them. factors: by layer name, what the learning rate of its
    weights is multiplied by; 1 for the others.
    """
    by_weight = {
        id(weight): factors[layer.name]
        for layer in flat_layers(model)
        if layer.name in factors
        for weight in layer.trainable_variables
    }
    descent = {
        "learning_rate": SCHEDULES[options.schedule].rate(options, learning_rate, steps),
        "factors": [by_weight.get(id(weight), 1.0) for weight in model.trainable_variables],
        "average": options.average,
    }
    optimizer = OPTIMIZERS[options.name](options, **descent)
    optimizer.build(model.trainable_variables)
    return optimizer


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Put the moving averages in place of the weights while the block runs, if the optimizer keeps them.

    Moving statistics of batch normalization stay as they are: they are averages already.
    """
    optimizer = model.optimizer
    if not optimizer.averages:
        yield
        return
    weights = [ops.convert_to_numpy(weight) for weight in model.trainable_variables]
    for weight, average in zip(model.trainable_variables, optimizer.averages, strict=True):
        weight.assign(average)
    try:
        yield
    finally:
        for weight, value in zip(model.trainable_variables, weights, strict=True):
            weight.assign(value)


def depth_factors(backbone: keras.Model, decay: float) -> dict[str, float]:
    """By layer name what its learning rate is multiplied by: decay^(d+1), d blocks below the topmost one.

    The head, which is no layer of the backbone, keeps the full rate (layer-wise decay, Bao et al. 2022, section 3.2).
    """
    if decay == 1:
        return {}
    return {name: decay ** (depth + 1) for name, depth in block_depths(backbone).items()}
