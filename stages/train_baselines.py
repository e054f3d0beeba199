"""Simpler models, trained apart from the network: class shares, neighbours, a linear probe, a small CNN.

python -m stages.train_baselines
"""

from pathlib import Path

import numpy as np

from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.predictions import Predictions
from lacuna.evaluation.baselines.cnn import learned_numbers, train_small_cnn
from lacuna.evaluation.baselines.feature_models import (
    MOST_IMAGES,
    answer_with_neighbours,
    answer_with_probe,
    answer_with_shares,
)
from lacuna.evaluation.baselines.model_size import linear_size
from lacuna.features.cost import first_alone, size_and_run
from lacuna.io.atomic import atomic_folder, write_json
from lacuna.io.sharded_array import open_rows
from lacuna.io.stopwatch import milliseconds_per_image, timed
from lacuna.training.data import open_labels
from stages._run import Facts, run


def train_baselines(params: Params) -> Facts:
    options = params.baseline
    targets, manifest = open_labels(Path("data/prepared"), params.train)
    images = open_rows(Path("data/images/pixels"))
    pooled = FeatureStore.open(Path("data/features")).pooled
    train, val = manifest.part("train"), manifest.part("val")
    some = np.sort(np.random.default_rng(options.seed).permutation(len(train))[:MOST_IMAGES])
    labels = train.labels[some]
    known, asked = (np.asarray(pooled[rows, 0]) for rows in (train.row[some], val.row))

    cnn, cnn_seconds = timed(lambda: train_small_cnn(targets, manifest, images, params.augment, params.train, options))
    near, near_seconds = timed(lambda: answer_with_neighbours(targets, known, labels, asked, options.neighbours))
    linear, linear_seconds = timed(lambda: answer_with_probe(targets, known, labels, asked))
    first, side = first_alone(params.backbone, params.features), images.shape[1]
    below, run_first = size_and_run(*first, side)
    several = len(params.backbone.names) * len(params.features.sizes) > 1
    below_all, run_all = size_and_run(params.backbone, params.features, side) if several else (below, run_first)
    answers = {
        "class_shares": (answer_with_shares(targets, labels, len(val)), targets.n_logits),
        "nearest_neighbours": (near, below + known.size),
        "linear_probe": (linear, below + linear_size(known.shape[1], targets)),
        "small_cnn": (cnn.logits, learned_numbers(cnn.network)),
    }
    with atomic_folder(Path("data/baselines")) as folder:
        for name, (logits, _) in answers.items():
            Predictions(logits, val.labels, val.image, val.group).save(folder / f"{name}.npz")
        sizes = {name: size for name, (_, size) in answers.items()}
        write_json(folder / "parameters.json", {"backbone": below_all, "models": sizes})

    some_images = np.asarray(images[val.row[:32]])
    ms = milliseconds_per_image(run_first, some_images)
    per_image = {
        "nearest_neighbours": ms + 1000 * near_seconds / len(val),
        "linear_probe": ms,
        "small_cnn": milliseconds_per_image(cnn.network.predict_on_batch, cnn.images[:32]),
        "trained": milliseconds_per_image(run_all, some_images) if several else ms,  # and a layer of logits
    }
    return {"training_seconds": {"linear_probe": linear_seconds, "small_cnn": cnn_seconds}, "ms_per_image": per_image}


if __name__ == "__main__":
    run("train_baselines", train_baselines)
