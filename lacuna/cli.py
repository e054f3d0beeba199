"""The command line: predict images, set params.yaml to a preset, fetch its data, compare experiments, tune, pack.

    python -m lacuna --help

Each command imports what it needs when it runs, so that `predict` starts in under a second.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lacuna.errors import LacunaError

PARAMS_FILE, PRESETS_FOLDER = Path("params.yaml"), Path("presets")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 a mistake in the input, 2 a mistake in the command line."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except LacunaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def predict(options: argparse.Namespace) -> int:
    """Print or write what a model says of images. Those that can't be read are named at the end."""
    from lacuna.inference.batch_prediction import predict_images
    from lacuna.inference.predictor import Predictor

    predictor = Predictor.load(
        options.bundle, options.runtime, min_precision=options.min_precision, certainty=options.certainty
    )
    form = options.out, options.json, options.strict
    return predict_images(predictor, options.images, options.column, *form, options.adapt)


def count(options: argparse.Namespace) -> int:
    """Count how many images are of each class, with intervals: by the class shares that the model's probabilities tell,
    not by its decisions."""
    from lacuna.inference.class_counting import report_counts
    from lacuna.inference.predictor import Predictor

    return report_counts(Predictor.load(options.bundle, options.runtime), options.images, options.column, options.json)


def serve(options: argparse.Namespace) -> int:
    """Answer images over HTTP until SIGTERM or Ctrl-C; docs/serve.md has the API. An API key is read from a file or
    from the environment variable LACUNA_API_KEY."""
    from lacuna.serving.server import serve_models
    from lacuna.serving.settings import from_command_line

    return serve_models(from_command_line(options), options.host, options.port, options.workers)


def use(options: argparse.Namespace) -> int:
    """Set params.yaml to a preset."""
    from lacuna.config.presets import missing_data, use_preset

    changes = use_preset(options.preset, PARAMS_FILE, PRESETS_FOLDER, options.data)
    for file, old, new in changes.renamed:
        print(f"{file}: {old} is called {new} now" + ("" if file == PARAMS_FILE else f"; write {new} there"))
    for file, key in changes.removed:
        print(f"{file}: {key} is no parameter any more" + ("" if file == PARAMS_FILE else "; remove it there"))
    width = max((len(key) for key, _, _ in changes.values), default=0)
    for key, before, after in changes.values:
        print(f"{key:{width}}  {_format_value(before)} → {_format_value(after)}")
    print(f"{PARAMS_FILE}: {len(changes.values)} values changed; `dvc repro` runs what depends on them")
    if lack := missing_data(options.preset, PARAMS_FILE, PRESETS_FOLDER):
        print(f"warning: {lack}", file=sys.stderr)
    return 0


def fetch(options: argparse.Namespace) -> int:
    """Get a public data set."""
    from lacuna.data.fetch import fetch_fashion_mnist, fetch_kaggle

    if options.dataset == "kaggle":
        fetch_kaggle(options.handle, options.to)
        print(f"{options.to}: {options.handle}")
    else:
        print("\n".join(fetch_fashion_mnist(options.to, options.url)))
    return 0


def compare(options: argparse.Namespace) -> int:
    """Print how far two experiments differ on the targets and validation images they share, and which is better."""
    from lacuna.core.relations import relevant
    from lacuna.evaluation.comparison import compare as compare_predictions
    from lacuna.evaluation.comparison import comparison_table, of_targets, targets_in_common
    from lacuna.experiments import read_experiment

    a, b = (read_experiment(Path.cwd(), name) for name in (options.a, options.b))
    targets, left_out = targets_in_common(a.targets, b.targets)
    predictions_a, predictions_b = (of_targets(run.validation, run.targets, targets) for run in (a, b))
    comparison = compare_predictions(
        targets,
        predictions_a,
        predictions_b,
        a.params.calibrate,
        b.params.calibrate,
        a.params.evaluate,
        relevant(a.relations, targets),
        relevant(b.relations, targets),
    )
    print(comparison_table(comparison, a.name, b.name))
    if left_out:
        print(f"targets left out: {', '.join(left_out)}")
    return 0


def tune(options: argparse.Namespace) -> int:
    """Search the space in params.yaml, log the search to MLflow, run the best setting as a DVC experiment."""
    from lacuna.config.load import load_params
    from lacuna.experiments import bring_up_to_date, run_experiment

    params = load_params(PARAMS_FILE)
    bring_up_to_date(Path.cwd(), "prepare", "featurize")

    from lacuna.tracking.run import log_run
    from lacuna.training.data import TrainingData
    from lacuna.tuning.objective import tune as search

    try:
        tuned = search(params, TrainingData.open(Path("data"), params.train), Path("runs/tune"))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise
    log_run(tuned.run, root=Path.cwd(), experiment=params.track.experiment)
    print(f"\n{tuned.summary}\n")
    if tuned.values:
        run_experiment(Path.cwd(), tuned.experiment, tuned.values)
    return 0


def ensemble(options: argparse.Namespace) -> int:
    """Make one model of several finished bundles of the same targets, scored on the same images: the mean of what they
    say. Decision rules and intervals are those of params.yaml."""
    from lacuna.config.load import load_params
    from lacuna.evaluation.comparison import comparison_table
    from lacuna.evaluation.verdicts import conclude, table
    from lacuna.export.build_ensemble import build_ensemble

    params = load_params(PARAMS_FILE)
    built = build_ensemble(options.bundles, options.out, params.calibrate, params.evaluate)
    for part, metrics in built.metrics.items():
        print(f"{part} ({params.evaluate.confidence:.0%} intervals)\n{table(metrics)}\n{conclude(metrics)}.\n")
    for member, comparison in built.gains.items():
        print(f"{comparison_table(comparison, member, 'ensemble')}\n")
    print(f"{options.out}: an ensemble of {len(options.bundles)} models")
    return 0


def drift(options: argparse.Namespace) -> int:
    """Tell whether new images have drifted away from those of training: in what the network sees, what it predicts and
    what the images are."""
    try:
        from lacuna.monitoring.report import report_drift
    except ImportError as error:  # a container that only serves
        raise LacunaError(f"drift needs {error.name}: install requirements.txt") from None
    from lacuna.inference.predictor import Predictor

    return report_drift(Predictor.load(options.bundle), options.images, options.out, options.json)


def pack(options: argparse.Namespace) -> int:
    """Check a bundle and write it as one zip archive; the same bundle gives the same bytes."""
    from lacuna.inference.packing import pack_bundle
    from lacuna.io.atomic import sha256

    folder = options.bundle.resolve()
    out = options.out or Path(os.path.relpath(folder.with_name(f"{folder.name}.zip")))
    pack_bundle(options.bundle, out)
    print(f"{out}: {out.stat().st_size} bytes, SHA-256 {sha256(out)}")
    return 0


def unpack(options: argparse.Namespace) -> int:
    """Check an archive made by pack and put its bundle into a folder; nothing changes when it is not whole."""
    from lacuna.inference.packing import unpack_bundle

    unpack_bundle(options.archive, options.to)
    print(f"{options.to}: unpacked and checked")
    return 0


def _format_value(value: object) -> str:
    """As YAML has it, in one line."""
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value else value


def _parser() -> argparse.ArgumentParser:
    what = "Image-attribute models from labels with gaps"
    parser = argparse.ArgumentParser(prog="python -m lacuna", description=what)
    commands = parser.add_subparsers(required=True)

    asked = argparse.ArgumentParser(add_help=False)
    what = "an image, a folder of them, a pattern, a CSV file of paths, or - for paths on standard input"
    asked.add_argument("images", metavar="PATH", nargs="+", help=what)
    asked.add_argument("--bundle", type=Path, default=Path("models/bundle"), help="the model (%(default)s)")
    runtimes = ("openvino", "openvino-bf16", "openvino-int8", "onnx", "keras")
    asked.add_argument("--runtime", choices=runtimes, default="openvino", help="(%(default)s)")
    asked.add_argument("--column", metavar="NAME", help="the column of paths in a CSV file (image, path or file)")

    what = "tell the attributes of images"
    command = commands.add_parser("predict", parents=[asked], help=what, description=predict.__doc__)
    way = command.add_mutually_exclusive_group()
    way.add_argument("--out", metavar="FILE", type=Path, help="write a .csv, .parquet or .jsonl file instead")
    way.add_argument("--json", action="store_true", help="print one JSON document with every probability")
    what = "answer only where this share of answers is right, say unsure elsewhere"
    command.add_argument("--min-precision", metavar="SHARE", type=float, help=what)
    what = "with which --min-precision holds (%(default)s)"
    command.add_argument("--certainty", metavar="SHARE", type=float, default=0.9, help=what)
    command.add_argument("--strict", action="store_true", help="exit with 1 when an image can't be read")
    command.add_argument("--adapt", action="store_true", help="decide by how frequent classes are in these images")
    command.set_defaults(run=predict)

    command = commands.add_parser("count", parents=[asked], help="count classes in images", description=count.__doc__)
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=count)

    command = commands.add_parser("serve", help="answer images over HTTP", description=serve.__doc__)
    add = command.add_argument
    add("--bundle", metavar="DIR", type=Path, nargs="+", action="extend", help="(models/bundle)")
    add("--host", default="127.0.0.1", help="the address to listen at (%(default)s)")
    add("--port", type=int, default=8000, help="(%(default)s); 0: one that is free")
    add("--workers", type=int, default=1, help="processes (%(default)s)")
    add("--runtime", choices=runtimes[:-1], default="openvino", help="(%(default)s)")
    add("--min-precision", metavar="P", type=float, help="be unsure where this precision cannot be promised")
    add("--api-key-file", metavar="FILE", type=Path, help="the first line is the key that requests must bring")
    add("--examples", metavar="DIR", type=Path, help="images that the page offers to try")
    add("--max-upload-mb", metavar="MB", type=float, default=20, help="of one request (%(default)s)")
    add("--max-queue", metavar="N", type=int, default=256, help="images that wait, then 503 (%(default)s)")
    add("--max-batch", metavar="N", type=int, default=4, help="images in one run of a network (%(default)s)")
    add("--timeout", metavar="S", type=float, default=30, help="seconds until a request is given up (%(default)s)")
    command.set_defaults(run=serve)

    command = commands.add_parser("use", help="set params.yaml to a preset", description=use.__doc__)
    command.add_argument("preset", metavar="PRESET", help=f"a name in {PRESETS_FOLDER}/ or the path of a YAML file")
    command.add_argument("--data", metavar="DIR", help="where the preset's data lies, instead of data/raw")
    command.set_defaults(run=use)

    command = commands.add_parser("fetch", help="get a public data set", description=fetch.__doc__)
    command.set_defaults(run=fetch)
    datasets = command.add_subparsers(dest="dataset", required=True)
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--to", metavar="DIR", type=Path, default=Path("data/raw"), help="where to (%(default)s)")
    what = "from Debian's package dataset-fashion-mnist, Keras' cache, or a download"
    command = datasets.add_parser("fashion_mnist", parents=[folder], help=what, description=f"Fashion-MNIST, {what}")
    command.add_argument("--url", help="download from below this address")
    command = datasets.add_parser("kaggle", parents=[folder], help="a data set of Kaggle")
    command.add_argument("handle", metavar="HANDLE", help="OWNER/DATASET, as its page's address ends")

    command = commands.add_parser("compare", help="tell whether one experiment is better", description=compare.__doc__)
    what = "an experiment's name, a branch, tag or commit; workspace: the working tree"
    command.add_argument("a", metavar="EXP1", help=what)
    command.add_argument("b", metavar="EXP2", help=what)
    command.set_defaults(run=compare)

    command = commands.add_parser("tune", help="search for better training parameters", description=tune.__doc__)
    command.set_defaults(run=tune)

    command = commands.add_parser("ensemble", help="average finished models into one", description=ensemble.__doc__)
    command.add_argument("bundles", metavar="BUNDLE", nargs="+", type=Path, help="a bundle's folder")
    command.add_argument("--out", type=Path, default=Path("models/ensemble"), help="where it goes (%(default)s)")
    command.set_defaults(run=ensemble)

    command = commands.add_parser("drift", help="compare new images with training", description=drift.__doc__)
    what = "a folder; an image, a pattern, a CSV file of paths or - (standard input), as predict takes them"
    command.add_argument("images", metavar="FOLDER", nargs="+", help=what)
    command.add_argument("--bundle", type=Path, default=Path("models/bundle"), help="the model (%(default)s)")
    command.add_argument("--out", type=Path, default=Path("drift.png"), help="where the picture goes (%(default)s)")
    command.add_argument("--json", action="store_true", help="print every number as one JSON document")
    command.set_defaults(run=drift)
    command = commands.add_parser("pack", help="make one file of a model", description=pack.__doc__)
    what = "a bundle's folder (%(default)s)"
    command.add_argument("bundle", metavar="BUNDLE", nargs="?", type=Path, default=Path("models/bundle"), help=what)
    command.add_argument("--out", metavar="FILE", type=Path, help="where it goes (beside the folder, named BUNDLE.zip)")
    command.set_defaults(run=pack)

    command = commands.add_parser("unpack", help="put a packed model into a folder", description=unpack.__doc__)
    command.add_argument("archive", metavar="FILE", type=Path, help="made by pack")
    command.add_argument("--to", metavar="DIR", type=Path, required=True, help="new, empty, or a bundle to be replaced")
    command.set_defaults(run=unpack)
    return parser
