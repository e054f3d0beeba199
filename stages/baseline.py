"""Simpler models beside the trained one, on validation: class shares, neighbours, a linear probe, a small CNN.

python -m stages.baseline
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lacuna.backbones import build_backbone
from lacuna.baseline_report import (
    TRAINED,
    Model,
    baseline_table,
    describe_gains,
    gains_over,
    plot_baselines,
    summarise_baselines,
)
from lacuna.comparison import figure_replicates
from lacuna.config import Params
from lacuna.consistency import load_relations
from lacuna.files import read_json, write_json
from lacuna.network import build_head
from lacuna.predictions import Predictions
from lacuna.simple_cnn import train_small_cnn
from lacuna.simple_models import MOST_IMAGES, answer_with_neighbours, answer_with_probe, answer_with_shares
from lacuna.stopwatch import milliseconds_per_image, timed
from lacuna.training_data import TrainingData
from stages._run import Facts, run


def baseline(params: Params) -> Facts:
    data, k = TrainingData.open(Path("data"), params.train), params.baseline.neighbours
    targets, train, val = data.targets, data.manifest.part("train"), data.manifest.part("val")
    some = np.sort(np.random.default_rng(params.train.seed).permutation(len(train))[:MOST_IMAGES])
    labels, group = train.labels[some], train.group[some]
    known, asked = (np.asarray(data.store.pooled[rows, 0]) for rows in (train.row[some], val.row))
    backbone = build_backbone(params.backbone, data.images.shape[1])
    head = build_head(known.shape[1], targets, params.head)
    below, probe = backbone.count_params(), (known.shape[1] + 1) * targets.n_logits

    trained = Predictions.load(Path("data/predictions/val.npz"))
    cnn, cnn_seconds = timed(lambda: train_small_cnn(params, data))
    near, near_seconds = timed(lambda: answer_with_neighbours(targets, known, labels, asked, k))
    linear, linear_seconds = timed(lambda: answer_with_probe(targets, known, labels, group, asked, params.train.seed))
    answers = {
        "class_shares": (answer_with_shares(targets, labels, len(val)), targets.n_logits),
        "nearest_neighbours": (near, below + known.size),
        "linear_probe": (linear, below + probe),
        "small_cnn": (cnn.tuned.logits["val"], cnn.tuned.parameters["parameters"]),
        TRAINED: (trained.logits, below + head.count_params()),
    }
    relations = load_relations(Path("data/prepared/hierarchy.json"), targets) if params.calibrate.consistent else ()
    models = {
        name: Model(
            figure_replicates(targets, replace(trained, logits=logits), params.calibrate, params.evaluate, relations),
            size,
        )
        for name, (logits, size) in answers.items()
    }
    content = summarise_baselines(models, gains_over(models, params.evaluate.confidence), params.evaluate.confidence)

    ms = milliseconds_per_image(backbone.predict_on_batch, np.asarray(data.images[val.row[:32]]))
    per_image = dict.fromkeys(("linear_probe", TRAINED), ms)
    per_image["nearest_neighbours"] = ms + 1000 * near_seconds / len(val)
    per_image["small_cnn"] = milliseconds_per_image(cnn.tuned.network.predict_on_batch, cnn.images[:32])
    seconds = {"linear_probe": linear_seconds, "small_cnn": cnn_seconds}
    records = [Path(f"runs/train_{phase}.json") for phase in ("warmup", "finetune")]
    if all(record.exists() for record in records):
        seconds[TRAINED] = sum(read_json(record)["seconds"] for record in records)
    said = describe_gains(content)
    print(baseline_table(content, seconds, per_image), *said, sep="\n")
    plot_baselines(Path("plots/baseline.png"), content)
    write_json(Path("metrics/baseline.json"), content)
    return {"training_seconds": seconds, "ms_per_image": per_image, "notes": said}


if __name__ == "__main__":
    run("baseline", baseline)
