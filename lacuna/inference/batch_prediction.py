"""Predict the images that a command line names: as text or JSON on standard output, or into a file of predictions."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lacuna.core.targets import Target
from lacuna.errors import LacunaError
from lacuna.inference.class_counting import adapt, count_classes
from lacuna.inference.image_inputs import STANDARD_INPUT, count_images, find_images
from lacuna.inference.output_files import Write, prediction_file, print_unreadable
from lacuna.inference.prediction import Prediction
from lacuna.inference.predictor import Predictor
from lacuna.io.names import printable
from lacuna.io.plurals import number_of
from lacuna.io.progress import progress

if TYPE_CHECKING:
    from lacuna.calibration.selective import Promise


def predict_images(
    predictor: Predictor,
    arguments: Sequence[str],
    column: str | None,
    out: Path | None,
    as_json: bool,
    strict: bool,
    adapted: bool = False,
    raw_csv: bool = False,
) -> int:
    """Predict the images that the arguments name and return the exit code.

    1 when none could be read, or with `strict` when one could not. Unreadable images are named on standard error at the
    end, after the summary of a file and, with a precision asked for, what share of the images each target answers.
    adapted: the images are read twice, and decided by how frequent the classes are among them, which is said on
    standard error. raw_csv: formulas in a CSV file stay what they are.
    """
    if adapted:
        if STANDARD_INPUT in arguments:
            raise LacunaError("--adapt reads the images twice, and standard input only once: name a CSV file of paths")
        if predictor.promises:
            raise LacunaError("--adapt moves the probabilities that --min-precision rests on: leave one of them out")
        counted, _ = count_classes(predictor, arguments, column)
        predictor, said = adapt(predictor, counted)
        print(*said, sep="\n", file=sys.stderr)
    total, started = count_images(arguments, column), time.monotonic()
    unreadable, decided, n_images = [], Counter[str](), 0
    with _output(predictor, out, as_json, raw_csv) as write:
        predictions = predictor.stream(find_images(arguments, column))
        shown = progress(predictions, total=total, what="predict", unit="images") if out else predictions
        for prediction in shown:
            write(prediction)
            n_images += 1
            if prediction.error is not None:
                unreadable.append(f"{prediction.name}: {prediction.error}")
            decided.update(name for name, target in prediction.targets.items() if target.unsure is False)
    if n_images == 0:
        raise LacunaError("no image was named on standard input")
    seconds, n_readable = time.monotonic() - started, n_images - len(unreadable)
    if out:
        print(
            f"{out}: {number_of(n_images, 'image')} in {seconds:.1f} s, {n_images / seconds:.0f} per second",
            file=sys.stderr,
        )
    for target in predictor.bundle.targets if predictor.promises and n_readable else ():
        answers = describe_answers(target, predictor.promises[target.name], decided[target.name], n_readable)
        print(f"{target.name}: {answers}", file=sys.stderr)
    if predictor.promises and n_readable:
        share = decided.total() / (n_readable * len(predictor.promises))
        rate = f"{share:.0%} of the cells are answered, as often right as --min-precision asks; the others are unsure"
        print(f"automation rate: {rate}", file=sys.stderr)
    print_unreadable(unreadable)
    return 1 if unreadable and (strict or not n_readable) else 0


def describe_answers(target: Target, promise: "Promise", answered: int, n_images: int) -> str:
    """What a target answers by itself of a batch of images, what it never does, why, and what would help.

    answered: how many of the n_images, 1 or more.
    """
    from lacuna.calibration.selective import NEVER  # here, because it loads SciPy

    sides = target.classes if target.kind == "binary" else ("",)
    refused = {
        side: n for side, cutoff, n in zip(sides, promise.cutoffs, promise.lacking, strict=True) if cutoff == NEVER
    }
    if len(refused) == len(sides):
        said = "answers no image by itself"
    else:
        alone = next((f"says {each} by itself" for each in sides if refused and each not in refused), "")
        said = f"{alone or 'answers by itself'} for {answered / n_images:.0%} of {number_of(n_images, 'image')}"
    lacking = [_more_called(side, n) for side, n in refused.items() if n]
    why = [f"it takes at least {' and '.join(lacking)} to promise that, or a lower --min-precision"] * bool(lacking)
    why += [
        f"even its surest answers{f' of {side}' if side else ''} are wrong more often than --min-precision allows"
        for side, n in refused.items()
        if not n
    ]
    always = f"; {', '.join(refused)} is always unsure" if 0 < len(refused) < len(sides) else ""
    return f"{said}{always}{': ' if why else ''}{'; '.join(why)}"


def _more_called(side: str, n: int) -> str:
    return number_of(n, "more labelled test image") + (f" that it calls {side}" if side else "")


def format_prediction(prediction: Prediction) -> str:
    """The attributes that were detected, with their probabilities, one per line; then those that were not, in one."""
    detected = {name: target for name, target in prediction.targets.items() if target.detected is not False}
    absent = [
        f"{name} {target.probability:.2f}{' (unsure)' if target.unsure else ''}"
        for name, target in prediction.targets.items()
        if name not in detected
    ]
    words = {name: "present" if target.detected else target.decision for name, target in detected.items()}
    name_width, word_width = (max(map(len, texts), default=0) for texts in (words.keys(), words.values()))
    lines = [
        f"  {name:{name_width}}  {words[name]:{word_width}}  {target.probability:.2f}"
        + (f"  (from {target.threshold:.2f})" if target.threshold is not None else "")
        + ("  unsure" if target.unsure else "")
        for name, target in detected.items()
    ]
    if absent:
        lines.append(f"  not detected: {', '.join(absent)}")
    if prediction.unfamiliar:
        lines.append("  unfamiliar: unlike the images the model was trained on")
    return "\n".join([printable(prediction.name), *lines])


@contextmanager
def _output(predictor: Predictor, out: Path | None, as_json: bool, raw_csv: bool) -> Iterator[Write]:
    """Yield a function that writes a prediction, in the form that was asked for."""
    if out is not None:
        with prediction_file(out, predictor.bundle.targets, raw_csv) as write:
            yield write
    elif as_json:
        before = '{"images": ['

        def write_json(prediction: Prediction) -> None:
            nonlocal before
            print(f"{before}\n{json.dumps(prediction.to_json(), allow_nan=False)}", end="")
            before = ","

        yield write_json
        print("\n]}")
    else:
        blank = ""

        def write_text(prediction: Prediction) -> None:
            nonlocal blank
            if prediction.error is None:
                print(f"{blank}{format_prediction(prediction)}")
                blank = "\n"

        yield write_text
