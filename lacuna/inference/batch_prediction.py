"""Predict the images that a command line names: as text or JSON on standard output, or into a file of predictions."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.inference.class_counting import adapt, count_classes
from lacuna.inference.image_inputs import STANDARD_INPUT, count_images, find_images
from lacuna.inference.output_files import Write, prediction_file, print_unreadable
from lacuna.inference.prediction import Prediction
from lacuna.inference.predictor import Predictor
from lacuna.io.names import printable
from lacuna.io.progress import progress


def predict_images(
    predictor: Predictor,
    arguments: Sequence[str],
    column: str | None,
    out: Path | None,
    as_json: bool,
    strict: bool,
    adapted: bool = False,
) -> int:
    """Predict the images that the arguments name and return the exit code.

    1 when none could be read, or with `strict` when one could not. Unreadable images are named on standard error at the
    end, after the summary of a file and, with a precision asked for, what share of the images each target decides.
    adapted: the images are read twice, and decided by how frequent the classes are among them, which is said on
    standard error.
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
    with _output(predictor, out, as_json) as write:
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
        print(f"{out}: {n_images:,} images in {seconds:.1f} s, {n_images / seconds:.0f} per second", file=sys.stderr)
    for name, promise in predictor.promises.items() if n_readable else ():
        print(f"{name}: {promise.describe(decided[name], n_readable)}", file=sys.stderr)
    if predictor.promises and n_readable:
        share = decided.total() / (n_readable * len(predictor.promises))
        print(f"automation rate: {share:.0%} of the cells are decided, the others are unsure", file=sys.stderr)
    print_unreadable(unreadable)
    return 1 if unreadable and (strict or not n_readable) else 0


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
def _output(predictor: Predictor, out: Path | None, as_json: bool) -> Iterator[Write]:
    """Yield a function that writes a prediction, in the form that was asked for."""
    if out is not None:
        with prediction_file(out, predictor.bundle.targets) as write:
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
