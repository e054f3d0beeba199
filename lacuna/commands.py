"""What each command does. Each imports what it needs when it runs, so that `predict` starts in under a second."""

import argparse
import json
import os
import sys
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.io.plurals import number_of

PARAMS_FILE, PRESETS_FOLDER = Path("params.yaml"), Path("presets")


def predict(options: argparse.Namespace) -> int:
    """Print or write what a model says of images. Those that can't be read are named at the end, or counted with
    --listing, whose run goes on where it was stopped."""
    if options.listing is not None:
        return _predict_listing(options)
    from lacuna.inference.batch_prediction import predict_images
    from lacuna.inference.predictor import Predictor

    predictor = Predictor.load(
        options.bundle, options.runtime, min_precision=options.min_precision, certainty=options.certainty
    )
    form = options.out and Path(options.out), options.json, options.strict
    return predict_images(predictor, options.images, options.column, *form, options.adapt, options.raw_csv)


def _predict_listing(options: argparse.Namespace) -> int:
    from lacuna.execution.executor import open_executor
    from lacuna.inference.listing_prediction import ask_model
    from lacuna.inference.predict_listing import predict_listing

    if options.out is None or options.adapt:
        raise LacunaError("--listing: expected --out FOLDER, and no --adapt, which reads all images first")
    model = ask_model(options.bundle, options.runtime, options.min_precision, options.certainty)
    places = options.listing, options.out, options.column
    try:
        with open_executor(options.engine, options.address, options.workers) as executor:
            return predict_listing(executor, model, *places, options.shard_images, options.strict)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise


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

    return serve_models(from_command_line(options), options.host, options.port)


def init(options: argparse.Namespace) -> int:
    """Look at a folder of images and its label file, say what they are and why, and write the block data of
    params.yaml."""
    from lacuna.init.run import is_terminal, write_data_block

    asks = not options.yes and is_terminal()
    write_data_block(options.folder, options.labels or [], options.set or [], PARAMS_FILE, asks=asks)
    return 0


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
    print(f"{PARAMS_FILE}: {number_of(len(changes.values), 'value')} changed; `dvc repro` runs what depends on them")
    if lack := missing_data(options.preset, PARAMS_FILE, PRESETS_FOLDER):
        print(f"warning: {lack}", file=sys.stderr)
    return 0


def fetch(options: argparse.Namespace) -> int:
    """Get a public data set, or the images that URLs name."""
    from lacuna.data.fetch import fetch_fashion_mnist, fetch_kaggle

    if options.dataset == "kaggle":
        fetch_kaggle(options.handle, options.to)
        print(f"{options.to}: {options.handle}")
    else:
        print("\n".join(fetch_fashion_mnist(options.to, options.url)))
    return 0


def fetch_urls(options: argparse.Namespace) -> int:
    """Download images by their URLs, and say what failed. What is there is not downloaded again, and what came in part
    goes on. Addresses that are not public, proxies and credentials are not used."""
    from lacuna.config.load import load_params
    from lacuna.data.downloads.limits import DownloadLimits
    from lacuna.data.fetch_urls import fetch_listed

    names = ("parallel", "rate", "max_mb", "max_total_gb", "timeout", "file_timeout", "allow_private")
    limits = DownloadLimits(**{name: getattr(options, name) for name in names})
    try:
        return fetch_listed(options.file, options.column, options.to, load_params(PARAMS_FILE).data, limits)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise


def cache(options: argparse.Namespace) -> int:
    """Show which shards of images and features are kept in runs/cache, or remove those that the last runs of their
    stages did not use. All can be computed again."""
    from lacuna.kept_shards import describe_kept, find_kept, in_megabytes, prune

    runs = Path("runs")
    if options.prune:
        removed = prune(runs, options.older_than)
        print(f"{len(removed)} shards removed, {in_megabytes(removed)} MB")
        return 0
    shards = find_kept(runs)
    unused = [shard for shard in shards if not shard.current]
    print(describe_kept(shards) if shards else "nothing is kept in runs/cache")
    if unused:
        print(f"`python -m lacuna cache --prune` removes {len(unused)} of them, {in_megabytes(unused)} MB")
    return 0


def estimate(options: argparse.Namespace) -> int:
    """Measure this machine for half a minute, and tell what processor time, memory and disk each stage would take for
    so many images. Writes temporary files alone; docs/scale.md has the laws."""
    from lacuna.config.load import load_params
    from lacuna.estimate.report import Prices, report_estimate

    prices = Prices(options.cpu_hour, options.gpu_hour, options.gb_month)
    print(report_estimate(load_params(PARAMS_FILE), options.images, options.targets, options.classes, prices))
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

    from lacuna.execution.executor import open_executor
    from lacuna.tracking.run import log_run
    from lacuna.training.data import TrainingData
    from lacuna.tuning.objective import tune as search

    try:
        with open_executor(**params.execution.model_dump()) as executor:
            tuned = search(params, TrainingData.open(Path("data"), params.train), Path("runs/tune"), executor)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise
    log_run(tuned.run, root=Path.cwd(), experiment=params.track.experiment)
    print(f"\n{tuned.summary}\n")
    if tuned.values:
        run_experiment(Path.cwd(), tuned.experiment, tuned.values)
    return 0


def promote(options: argparse.Namespace) -> int:
    """Compare a registered bundle with the champion of MLflow's registry on test images that neither learned from. The
    alias moves where it is better in some target and worse in none; else the exit code is 3."""
    from lacuna.config.load import load_params
    from lacuna.tracking.promote import promote_bundle

    params = load_params(PARAMS_FILE)
    name = params.track.model_name
    promoted = promote_bundle(options.bundle, name, params.evaluate, root=Path.cwd(), force=options.force)
    print(promoted.said)
    return 0 if promoted.is_champion else 3


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


def label_studio_export(options: argparse.Namespace) -> int:
    """Write a Label Studio project: the labelling config, and the images of an audit's table in its order, with the
    known labels and the model's predictions as pre-annotations. docs/label-studio.md has the whole loop."""
    from lacuna.config.load import load_params
    from lacuna.labelling.export_project import describe_next, export_project, find_root

    data = load_params(PARAMS_FILE).data
    where = options.url_prefix or find_root(data, options.local_files_root)
    project = export_project(options.out, data, options.table, options.bundle, options.tasks, where)
    print("\n".join([project.describe(options.out), *describe_next(options.out, data, where)]))
    return 0


def label_studio_import(options: argparse.Namespace) -> int:
    """Add what an export of Label Studio says to the corrections that params.yaml names, which `dvc repro` reads."""
    from lacuna.config.load import load_params
    from lacuna.config.presets import write_values
    from lacuna.labelling.import_labels import DEFAULT_FILE, import_annotations

    data = load_params(PARAMS_FILE).data
    file = data.corrections or DEFAULT_FILE
    imported = import_annotations(options.export, Path(file), data, Path("data/prepared"))
    for note in imported.notes:
        print(f"warning: {note}", file=sys.stderr)
    print(imported.describe(file))
    if imported.rows and not data.corrections:
        write_values(PARAMS_FILE, {"data": {"corrections": file}})
        print(f"{PARAMS_FILE}: data.corrections is {file} now")
    return 0


def _format_value(value: object) -> str:
    """As YAML has it, in one line."""
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value else value
