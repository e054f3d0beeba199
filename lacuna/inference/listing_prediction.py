"""Predict a listing of any length into a folder: a Parquet file for each slice of it, a shard.

    shards = cut_into_shards("listing.parquet", None, "predictions/", 10_000)
    for receipt in InProcess().map(PredictShard(...), shards): ...

A shard is done when its file is there: files appear whole, and say of which model and which names they are. So a killed
run goes on where it was, and shards may be done in any order, on any machine that sees the same places.
"""

import hashlib
import io
import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lacuna.data.images.bucket import read_object
from lacuna.data.images.headers import UnreadableImageError
from lacuna.errors import LacunaError
from lacuna.inference.bundle import DESCRIPTION_FILE, read_bundle
from lacuna.inference.listing import ListingSlice, cut_listing
from lacuna.inference.output_files import parquet_rows
from lacuna.inference.prediction import Prediction
from lacuna.inference.predictor import Predictor
from lacuna.io.atomic import sha256
from lacuna.io.progress import progress
from lacuna.io.remote_files import folder_of, is_url, open_place, place_in, write_whole
from lacuna.io.repeated_names import RepeatedNames

FETCHED_AHEAD, FETCHES_AT_ONCE = 64, 16
"""Two batches of the network: one waits while the other is predicted."""


@dataclass(frozen=True)
class AskedModel:
    """A bundle and how it is asked, as `Predictor.load` takes it; `digest` is the SHA-256 of its bundle.json."""

    bundle: Path
    digest: str
    runtime: str
    min_precision: float | None
    certainty: float

    def said(self) -> dict[str, str]:
        """What a prediction depends on, as text."""
        certainty = "" if self.min_precision is None else self.certainty
        asked = {"runtime": self.runtime, "min_precision": self.min_precision or "", "certainty": certainty}
        return {"bundle": self.digest} | {name: str(value) for name, value in asked.items()}


@dataclass(frozen=True)
class Shard:
    """A slice of a listing, and the file its predictions go to.

    repeated: a bit for each name, set where it stood before in the listing: that image is another row's. digest: of
    names and bits, the SHA-256.
    """

    names: ListingSlice
    repeated: bytes
    digest: str
    file: str


@dataclass(frozen=True)
class ShardReceipt:
    """How many images are in a shard's file, how many of them can't be read, and whether it was there before."""

    n_images: int
    n_unreadable: int
    was_there: bool


def ask_model(bundle: Path, runtime: str, min_precision: float | None, certainty: float) -> AskedModel:
    """The model that a bundle is now. Raises LacunaError when it is missing, damaged or has nothing for the runtime."""
    read_bundle(bundle, runtime)
    return AskedModel(bundle.absolute(), _digest_of(bundle), runtime, min_precision, certainty)


def cut_into_shards(listing: str, column: str | None, out: str, n_images: int) -> list[Shard]:
    """The shards of a listing, of so many names each, in order. Its names are read once, and not kept.

    Memory: 25 MB and 500 bytes a shard, and a byte a name for a moment. Raises LacunaError as `cut_listing` does.
    """
    slices = []
    with RepeatedNames() as known:
        for names, read in progress(cut_listing(listing, column, n_images), total=None, what="listing", unit="shards"):
            known.add(read)
            slices.append((names, _digest_of_names(read)))
        repeated = known.find()
    shards, start = [], 0
    for number, (names, digest) in enumerate(slices, start=1):
        bits = np.packbits(repeated[start : start + names.n_names]).tobytes()
        file = place_in(out, f"part-{number:06}-of-{len(slices):06}.parquet")
        shards.append(Shard(names, bits, _with_bits(digest, bits), file))
        start += names.n_names
    return shards


@dataclass(frozen=True)
class PredictShard:
    """Predicts a shard and writes its file, unless that is there."""

    model: AskedModel

    def __call__(self, shard: Shard) -> ShardReceipt:
        """Raises LacunaError as `find` does, when the listing is not what it was when it was cut, and when a service
        does not answer: then nothing is written.
        """
        receipt = self.find(shard)
        return receipt if receipt is not None else self._predict(shard)

    def find(self, shard: Shard) -> ShardReceipt | None:
        """The receipt of a shard whose file is there. Raises LacunaError when that is of another model or other names,
        or damaged.
        """
        return _find_receipt(shard.file, self._said(shard))

    def _said(self, shard: Shard) -> dict[str, str]:
        which = {"names": shard.digest, "folder": folder_of(shard.names.listing)}
        return {f"lacuna.{name}": value for name, value in (which | self.model.said()).items()}

    def _predict(self, shard: Shard) -> ShardReceipt:
        names, said = _names_of(shard), self._said(shard)
        predictor = _load(self.model)
        content, n_unreadable = io.BytesIO(), 0
        with parquet_rows(content, predictor.bundle.targets, said) as write:
            for prediction in predict_named(predictor, names, folder_of(shard.names.listing)):
                write(prediction)
                n_unreadable += prediction.error is not None
        meanwhile = self.find(shard)  # of another run into the folder, which raises where its model is another
        if meanwhile is not None:
            return meanwhile
        write_whole(shard.file, content.getvalue())
        return ShardReceipt(len(names), n_unreadable, was_there=False)


def predict_named(predictor: Predictor, names: Sequence[str], folder: str) -> Iterator[Prediction]:
    """Predict images by names as seen from a folder, in order. What URLs name is fetched some images ahead.

    Raises LacunaError when a service does not answer or refuses: that is no fault of an image.
    """
    waiting: deque[tuple[str, str | None]] = deque()

    def readable() -> Iterator[Path | bytes]:
        for name, source in zip(names, _fetch_ahead([place_in(folder, name) for name in names]), strict=True):
            is_lost = isinstance(source, UnreadableImageError)
            waiting.append((name, str(source) if is_lost else None))
            if not isinstance(source, UnreadableImageError):
                yield source

    for prediction in predictor.stream(readable()):
        while waiting[0][1] is not None:
            yield Prediction(waiting[0][0], error=waiting.popleft()[1])
        yield replace(prediction, name=waiting.popleft()[0])
    for name, reason in waiting:
        yield Prediction(name, error=reason)


def _fetch_ahead(places: Sequence[str]) -> Iterator[Path | bytes | UnreadableImageError]:
    if not any(map(is_url, places)):  # nothing to wait for
        yield from map(Path, places)
        return
    pool = ThreadPoolExecutor(FETCHES_AT_ONCE)
    try:
        fetched = deque(pool.submit(_fetch, place) for place in places[:FETCHED_AHEAD])
        for place in [*places[FETCHED_AHEAD:], *[None] * len(fetched)]:
            yield fetched.popleft().result()
            if place is not None:
                fetched.append(pool.submit(_fetch, place))
    finally:
        pool.shutdown(cancel_futures=True)  # or a service that is gone would be asked for each of them


def _fetch(place: str) -> Path | bytes | UnreadableImageError:
    """A local file's path, which is read where it is decoded, or what a URL names."""
    if not is_url(place):
        return Path(place)
    try:
        return read_object(place)
    except UnreadableImageError as error:
        return error


def _names_of(shard: Shard) -> list[str]:
    names = shard.names.read()
    if _with_bits(_digest_of_names(names), shard.repeated) != shard.digest:
        raise LacunaError(f"{shard.names.listing}: the listing changed while it was predicted; run the command again")
    bits = np.unpackbits(np.frombuffer(shard.repeated, np.uint8), count=len(names))
    return [name for name, is_repeated in zip(names, bits, strict=True) if not is_repeated]


def _find_receipt(file: str, said: dict[str, str]) -> ShardReceipt | None:
    """The receipt of a file that is there. Raises LacunaError when that is of something else than is said."""
    from pyarrow import ArrowInvalid, parquet

    try:
        with open_place(file) as opened:
            found = parquet.read_metadata(opened)
    except FileNotFoundError:
        return None
    except ArrowInvalid:
        raise LacunaError(f"{file}: no Parquet file; remove it") from None
    before = {key.decode(): value.decode("utf-8", "replace") for key, value in (found.metadata or {}).items()}
    if other := [key.removeprefix("lacuna.") for key in said if before.get(key) != said[key]]:
        raise LacunaError(
            f"{file}: predictions that are there were made with other {' and '.join(other)}; "
            "name another folder with --out, or remove this one"
        )
    place = found.schema.names.index("error")
    groups = [found.row_group(number).column(place).statistics for number in range(found.num_row_groups)]
    n_readable = sum(group.null_count for group in groups)
    return ShardReceipt(found.num_rows, found.num_rows - n_readable, was_there=True)


@lru_cache(maxsize=1)
def _load(model: AskedModel) -> Predictor:
    predictor = Predictor.load(
        model.bundle, model.runtime, min_precision=model.min_precision, certainty=model.certainty
    )
    if _digest_of(model.bundle) != model.digest:
        raise LacunaError(f"{model.bundle}: the bundle is another one than when the command began; run it again")
    return predictor


def _digest_of(bundle: Path) -> str:
    """bundle.json has the digests of its other files."""
    return sha256(bundle / DESCRIPTION_FILE)


def _digest_of_names(names: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _with_bits(digest: str, bits: bytes) -> str:
    return hashlib.sha256(digest.encode() + bits).hexdigest()
