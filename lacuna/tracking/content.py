"""What is mirrored: a run and its model as plain values, and the digest that tells whether two are the same."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Model:
    """A bundle as MLflow keeps, loads and serves it: a pyfunc, registered under `name`.

    `loader` is the module of this package that loads the folder `bundle`. `inputs` and `outputs` are the columns with
    MLflow's types; `example` is an input with one row. `requirements` are pinned, one for each library.
    """

    name: str
    bundle: Path
    loader: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    example: Mapping[str, object]
    requirements: Sequence[str]


@dataclass(frozen=True)
class Run:
    """One run as MLflow shows it.

    `history` has one row per epoch: its number under "epoch", which becomes MLflow's step, and the metrics.
    `facts` (numbers) and `tags` (words) describe this execution only, such as how long it took: runs that
    differ in nothing else are the same run.
    `artifacts` are files and folders, relative to the working folder; MLflow shows them under the same paths.
    """

    name: str
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    artifacts: Sequence[Path] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    children: Sequence["Run"] = ()
    model: Model | None = None


def without(rows: Sequence[Mapping[str, float]], key: str) -> list[dict[str, float]]:
    """The rows but for what they hold under `key`."""
    return [{name: value for name, value in row.items() if name != key} for row in rows]


def flatten(content: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested mappings as one level of dotted keys; lists and empty mappings become JSON text.

    >>> flatten({"train": {"loss": "focal"}, "data": {"targets": {}, "unknown": ["", "NA"]}})
    {'train.loss': 'focal', 'data.targets': '{}', 'data.unknown': '["", "NA"]'}
    """
    flat: dict[str, object] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, Mapping | list | tuple) else value
    return flat


def numbers(content: Mapping[str, object]) -> dict[str, float]:
    """The entries of a flat mapping that are numbers; words and truth values are left out."""
    return {
        key: float(value)
        for key, value in content.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def run_digest(run: Run) -> str:
    """A digest of the names, parameters, metrics, histories, files and models of a run and its children."""
    digest = hashlib.sha256()

    def add(run: Run) -> None:
        stated = [run.name, dict(run.params), dict(run.metrics), [dict(row) for row in run.history]]
        digest.update(json.dumps(stated, sort_keys=True).encode())
        for path in files_of(run.artifacts):
            digest.update(str(path).encode() + path.read_bytes())
        if run.model is not None:
            digest.update(f"{run.model.name} {model_digest(run.model)}".encode())
        for child in run.children:
            add(child)

    add(run)
    return digest.hexdigest()


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The files among `paths` and, in order, those in the folders among them."""
    for path in paths:
        yield from sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]


def size_of(run: Run) -> int:
    """How much the files of a run take in MLflow."""
    copied = [*run.artifacts, *([run.model.bundle] if run.model else [])]
    return sum(path.stat().st_size for path in files_of(copied)) + sum(map(size_of, run.children))


def model_digest(model: Model) -> str:
    """A digest of what is loaded. The code that loads it is left out: what changes its answers raises the version of
    Lacuna, which the bundle states."""
    stated = [model.loader, dict(model.inputs), dict(model.outputs), list(model.requirements)]
    digest = hashlib.sha256(json.dumps(stated).encode())
    for path in files_of([model.bundle]):
        digest.update(path.relative_to(model.bundle).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
