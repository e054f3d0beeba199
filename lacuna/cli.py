"""The command line: what commands there are, and what they take. What they do stands in commands.py.

python -m lacuna --help
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lacuna import commands as run
from lacuna.errors import LacunaError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 a mistake in the input, 2 a mistake in the command line, 3
    not promoted."""
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


def _parser() -> argparse.ArgumentParser:
    what = "Image-attribute models from labels with gaps"
    parser = argparse.ArgumentParser(prog="python -m lacuna", description=what)
    added = parser.add_subparsers(required=True)

    asked = argparse.ArgumentParser(add_help=False)
    paths = "an image, a folder of them, a pattern, a CSV file of paths, or - for paths on standard input"
    asked.add_argument("--bundle", type=Path, default=Path("models/bundle"), help="the model (%(default)s)")
    runtimes = ("openvino", "openvino-bf16", "openvino-int8", "onnx", "litert", "keras")
    asked.add_argument("--runtime", choices=runtimes, default="openvino", help="(%(default)s)")
    asked.add_argument("--column", metavar="NAME", help="the column of paths in a table (image, path or file)")

    what = "tell the attributes of images"
    command = added.add_parser("predict", parents=[asked], help=what, description=run.predict.__doc__)
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("images", metavar="PATH", nargs="*", default=[], help=paths)
    what = "a text of names, a CSV or Parquet file, local or a URL (s3://...), of any length; goes on where it was"
    which.add_argument("--listing", metavar="FILE", help=what)
    what = "with --listing: so many in each file (%(default)s)"
    command.add_argument("--shard-images", metavar="N", type=int, default=10_000, help=what)
    what = "with --listing: where files are made, in this process or by Ray (%(default)s)"
    command.add_argument("--engine", choices=("local", "ray"), default="local", help=what)
    what = "of a Ray cluster (RAY_ADDRESS; without that a Ray of its own on this machine)"
    command.add_argument("--address", metavar="HOST:PORT", default="", help=what)
    what = "with --engine ray: files at a time (one a core)"
    command.add_argument("--workers", metavar="N", type=int, default=0, help=what)
    way = command.add_mutually_exclusive_group()
    what = "write a .csv, .parquet or .jsonl file instead; with --listing a folder or its URL, for Parquet files"
    way.add_argument("--out", metavar="FILE", help=what)
    way.add_argument("--json", action="store_true", help="print one JSON document with every probability")
    what = "answer only where this share of answers is right, say unsure elsewhere"
    command.add_argument("--min-precision", metavar="SHARE", type=float, help=what)
    what = "with which --min-precision holds (%(default)s)"
    command.add_argument("--certainty", metavar="SHARE", type=float, default=0.9, help=what)
    command.add_argument("--strict", action="store_true", help="exit with 1 when an image can't be read")
    what = "leave formulas in names as they are: no ' before =, +, - and @, which spreadsheets would compute"
    command.add_argument("--raw-csv", action="store_true", help=what)
    command.add_argument("--adapt", action="store_true", help="decide by how frequent classes are in these images")
    command.set_defaults(run=run.predict)

    command = added.add_parser("count", parents=[asked], help="count classes in images", description=run.count.__doc__)
    command.add_argument("images", metavar="PATH", nargs="+", help=paths)
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=run.count)

    command = added.add_parser("serve", help="answer images over HTTP", description=run.serve.__doc__)
    add = command.add_argument
    what = "folders (models/bundle), or models:/NAME@ALIAS in MLflow's registry"
    add("--bundle", metavar="BUNDLE", type=Path, nargs="+", action="extend", help=what)
    add("--host", default="127.0.0.1", help="the address to listen at (%(default)s)")
    add("--port", type=int, default=8000, help="(%(default)s); 0: one that is free")
    add("--runtime", choices=runtimes[:-1], default="openvino", help="(%(default)s)")
    add("--min-precision", metavar="P", type=float, help="be unsure where this precision cannot be promised")
    add("--api-key-file", metavar="FILE", type=Path, help="the first line is the key that requests must bring")
    what = "names that requests may ask for (localhost where bound to it, else any)"
    add("--allowed-hosts", metavar="HOST", nargs="+", action="extend", help=what)
    add("--root-path", metavar="PATH", default="", help="the path below which a proxy offers the service")
    add("--examples", metavar="DIR", type=Path, help="images that the page offers to try")
    add("--label-studio-files", metavar="DIR", type=Path, help="suggest labels to Label Studio for the files it serves")
    add("--max-upload-mb", metavar="MB", type=float, default=20, help="of one request (%(default)s)")
    add("--tiff", action="store_true", help="take TIFF images too, as scanners and microscopes write them")
    add("--max-queue", metavar="N", type=int, default=256, help="images that wait, then 503 (%(default)s)")
    add("--max-connections", metavar="N", type=int, default=1000, help="open at a time (%(default)s)")
    add("--timeout", metavar="S", type=float, default=30, help="seconds until a request is given up (%(default)s)")
    command.set_defaults(run=run.serve)

    command = added.add_parser("init", help="set params.yaml to a folder of yours", description=run.init.__doc__)
    command.add_argument("folder", metavar="FOLDER", type=Path, help="where the images lie, in folders below too")
    what = "a label file, where it is not in the folder or there are several"
    command.add_argument("--labels", metavar="FILE", type=Path, nargs="+", action="extend", help=what)
    what = "a key of the block data that is to be so, whatever is found: group_column=patient"
    command.add_argument("--set", metavar="KEY=VALUE", action="append", help=what)
    command.add_argument("--yes", action="store_true", help="ask nothing: take what is most probable and say so")
    command.set_defaults(run=run.init)

    command = added.add_parser("use", help="set params.yaml to a preset", description=run.use.__doc__)
    command.add_argument("preset", metavar="PRESET", help=f"a name in {run.PRESETS_FOLDER}/ or the path of a YAML file")
    command.add_argument("--data", metavar="DIR", help="where the preset's data lies, instead of data/raw")
    command.set_defaults(run=run.use)

    command = added.add_parser("fetch", help="get images from the web", description=run.fetch.__doc__)
    command.set_defaults(run=run.fetch)
    datasets = command.add_subparsers(dest="dataset", required=True)
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--to", metavar="DIR", type=Path, default=Path("data/raw"), help="where to (%(default)s)")
    what = "from Debian's package dataset-fashion-mnist, Keras' cache, or a download"
    command = datasets.add_parser("fashion_mnist", parents=[folder], help=what, description=f"Fashion-MNIST, {what}")
    command.add_argument("--url", help="download from below this address")
    command = datasets.add_parser("kaggle", parents=[folder], help="a data set of Kaggle")
    command.add_argument("handle", metavar="HANDLE", help="OWNER/DATASET, as its page's address ends")
    what = "the images that a list or a column of a table names by URLs"
    command = datasets.add_parser("urls", help=what, description=run.fetch_urls.__doc__)
    add = command.add_argument
    add("file", metavar="FILE", type=Path, help="a text with a URL a line, or a table in any format that labels have")
    add("--column", metavar="NAME", default="", help="the column of URLs in a table (the one that there is)")
    add("--to", metavar="DIR", type=Path, default=Path("data/raw/images"), help="where to (%(default)s)")
    add("--parallel", metavar="N", type=int, default=8, help="downloads at a time (%(default)s)")
    add("--rate", metavar="N", type=float, default=10, help="requests per second to one host (%(default)s)")
    add("--max-mb", metavar="MB", type=float, default=50, help="of a file (%(default)s)")
    add("--max-total-gb", metavar="GB", type=float, default=20, help="of all files together (%(default)s)")
    add("--timeout", metavar="S", type=float, default=30, help="seconds without an answer (%(default)s)")
    add("--file-timeout", metavar="S", type=float, default=300, help="seconds for a whole file (%(default)s)")
    add("--allow-private", action="store_true", help="fetch from private addresses and from this machine, too")
    command.set_defaults(run=run.fetch_urls)

    command = added.add_parser("cache", help="show or remove kept shards", description=run.cache.__doc__)
    command.add_argument("--prune", action="store_true", help="remove what the last runs did not use")
    what = "with --prune: only what nobody used for so many days (%(default)s)"
    command.add_argument("--older-than", metavar="DAYS", type=float, default=0, help=what)
    command.set_defaults(run=run.cache)

    command = added.add_parser("estimate", help="tell what many images will cost", description=run.estimate.__doc__)
    add = command.add_argument
    add("--images", metavar="N", type=int, nargs="+", default=[1_000_000], help="how many (1000000)")
    add("--targets", metavar="T", type=int, help="how many (those of params.yaml)")
    add("--classes", metavar="K", type=int, default=2, help="of each target (%(default)s)")
    add("--cpu-hour", metavar="PRICE", type=float, help="of an hour of one processor core")
    add("--gpu-hour", metavar="PRICE", type=float, help="of an hour of a GPU")
    add("--gb-month", metavar="PRICE", type=float, help="of a gigabyte kept for a month")
    command.set_defaults(run=run.estimate)

    command = added.add_parser("compare", help="tell whether one experiment is better", description=run.compare.__doc__)
    what = "an experiment's name, a branch, tag or commit; workspace: the working tree"
    command.add_argument("a", metavar="EXP1", help=what)
    command.add_argument("b", metavar="EXP2", help=what)
    command.set_defaults(run=run.compare)

    command = added.add_parser("tune", help="search for better training parameters", description=run.tune.__doc__)
    command.set_defaults(run=run.tune)

    command = added.add_parser("promote", help="make a better model the champion", description=run.promote.__doc__)
    what = "the new model (%(default)s)"
    command.add_argument("--bundle", metavar="DIR", type=Path, default=Path("models/bundle"), help=what)
    command.add_argument("--force", action="store_true", help="move the alias whatever the comparison says")
    command.set_defaults(run=run.promote)

    command = added.add_parser("ensemble", help="average finished models into one", description=run.ensemble.__doc__)
    command.add_argument("bundles", metavar="BUNDLE", nargs="+", type=Path, help="a bundle's folder")
    command.add_argument("--out", type=Path, default=Path("models/ensemble"), help="where it goes (%(default)s)")
    command.set_defaults(run=run.ensemble)

    command = added.add_parser("drift", help="compare new images with training", description=run.drift.__doc__)
    what = "a folder; an image, a pattern, a CSV file of paths or - (standard input), as predict takes them"
    command.add_argument("images", metavar="FOLDER", nargs="+", help=what)
    command.add_argument("--bundle", type=Path, default=Path("models/bundle"), help="the model (%(default)s)")
    command.add_argument("--out", type=Path, default=Path("drift.png"), help="where the picture goes (%(default)s)")
    command.add_argument("--json", action="store_true", help="print every number as one JSON document")
    command.set_defaults(run=run.drift)
    command = added.add_parser("pack", help="make one file of a model", description=run.pack.__doc__)
    what = "a bundle's folder (%(default)s)"
    command.add_argument("bundle", metavar="BUNDLE", nargs="?", type=Path, default=Path("models/bundle"), help=what)
    command.add_argument("--out", metavar="FILE", type=Path, help="where it goes (beside the folder, named BUNDLE.zip)")
    command.set_defaults(run=run.pack)

    command = added.add_parser("unpack", help="put a packed model into a folder", description=run.unpack.__doc__)
    command.add_argument("archive", metavar="FILE", type=Path, help="made by pack")
    command.add_argument("--to", metavar="DIR", type=Path, required=True, help="new, empty, or a bundle to be replaced")
    command.set_defaults(run=run.unpack)

    command = added.add_parser("label-studio", help="label images by hand, in Label Studio")
    ways = command.add_subparsers(required=True)
    what = "write a project: what to label, with predictions"
    command = ways.add_parser("export", help=what, description=run.label_studio_export.__doc__)
    command.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="new, empty, or a former project")
    command.add_argument(
        "--tasks", metavar="N", type=int, default=200, help="images, most valuable first (%(default)s)"
    )
    command.add_argument("--table", choices=("to_label", "label_issues"), default="to_label", help="(%(default)s)")
    way = command.add_mutually_exclusive_group()
    what = "Label Studio's document root, a folder above the images (this one, or the one above them)"
    way.add_argument("--local-files-root", metavar="DIR", type=Path, help=what)
    way.add_argument("--url-prefix", metavar="URL", help="images are on the web, below this address")
    command.add_argument("--bundle", type=Path, default=Path("models/bundle"), help="the model (%(default)s)")
    command.set_defaults(run=run.label_studio_export)
    what = "take over the labels of an export"
    command = ways.add_parser("import", help=what, description=run.label_studio_import.__doc__)
    command.add_argument("export", metavar="FILE", type=Path, help="exported from Label Studio as JSON or JSON-MIN")
    command.set_defaults(run=run.label_studio_import)
    return parser
