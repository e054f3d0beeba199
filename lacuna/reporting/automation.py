"""How much of the tagging each target can take over: promised on validation, counted on test."""

from lacuna.calibration.cross_fit import judge
from lacuna.calibration.model import Calibration
from lacuna.calibration.population import Population
from lacuna.calibration.selective import NEVER, promise
from lacuna.config.blocks import Calibrate
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.reporting.advice import Automation


def count_answers(
    targets: Targets,
    validation: Predictions,
    test: Predictions,
    calibration: Calibration,
    population: Population,
    options: Calibrate,
    precision: float,
    certainty: float,
) -> dict[str, Automation]:
    """By target. Validation chose the epoch that is kept, so the promise is flattered a little; the counts are not."""
    answers = {}
    probabilities, decisions = calibration.apply(targets, test.logits), calibration.decide(targets, test.logits)
    for index, judgement in enumerate(judge(targets, validation, options, calibration.relations, population)):
        shares = population.prevalences[index].priors
        given = promise(
            judgement.target,
            judgement.labels,
            judgement.probabilities,
            judgement.decisions,
            validation.group,
            precision,
            certainty,
            shares.importance() if population.corrected[index] else None,
        )
        answered = given.answers(judgement.target, probabilities[index], decisions[:, index])
        known = answered & (test.labels[:, index] >= 0)
        right = (test.labels[:, index] == decisions[:, index])[known]
        answers[judgement.target.name] = Automation(
            float(answered.mean()),
            int(known.sum()),
            int(right.sum()),
            tuple(cutoff != NEVER for cutoff in given.cutoffs),
            given.lacking,
        )
    return answers
