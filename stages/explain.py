"""What the model looks at and where it is weak, on validation images only.

python -m stages.explain
"""

from pathlib import Path

import numpy as np

from lacuna.analysis.explain.activation_maps import ExplainedNetwork
from lacuna.analysis.explain.embedding_map import check_method, draw_points, lay_out
from lacuna.analysis.explain.faithfulness import draw_measured, probability_drops, summarise_checks
from lacuna.analysis.explain.gallery import write_confused, write_examples
from lacuna.analysis.explain.inputs import open_inputs
from lacuna.analysis.explain.plots import plot_embedding, plot_faithfulness, plot_slices
from lacuna.analysis.explain.report import (
    describe_faithfulness,
    describe_slices,
    summarise_explanation,
    write_places,
    write_slices,
)
from lacuna.analysis.explain.slices import examine_slices, partition_images
from lacuna.calibration.cross_fit import judge
from lacuna.calibration.model import Calibration
from lacuna.calibration.population import Population
from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.head_weights import HeadWeights
from lacuna.inference.runtimes import load_layout, load_network
from lacuna.io.atomic import atomic_folder, write_json
from stages._run import Facts, run


def explain(params: Params) -> Facts:
    settings, evaluate = params.explain, params.evaluate
    check_method(settings.embedding)
    data = open_inputs(Path("data"))
    targets, images, row, group = data.targets, data.images, data.validation.row, data.validation.group
    calibration = Calibration.load(Path("models/calibration.json"))
    exported, head = Path("models/export"), HeadWeights.load(Path("models/trained/head.npz"))
    network = ExplainedNetwork(load_network(exported, "openvino"), load_layout(exported), head)
    population = Population.load(Path("data/predictions/population.npz"), targets, evaluate)
    judgements = judge(targets, data.predictions, params.calibrate, calibration.relations, population)

    partitions = partition_images(data.every, data.validation.labels, data.files, images, row, params.data.resize)
    slices = examine_slices(judgements, partitions, group, evaluate)
    measured = draw_measured(judgements, settings.images, settings.seed)
    mapped, boxes = network.has_maps(np.asarray(images[row[:1]])), data.boxes(params.data.resize)
    faithfulness = {}
    if mapped:
        drops = probability_drops(network, targets, calibration, images, row, boxes, measured, settings.seed)
        faithfulness = summarise_checks(targets, drops, group, boxes, images.shape[1], evaluate)
    points = draw_points(group, settings.points, settings.seed)
    pooled = FeatureStore.open(Path("data/features")).pooled
    places = lay_out(pooled[row[points], 0], settings.embedding, settings.seed)

    with atomic_folder(Path("plots/explain")) as folder:
        write_examples(folder, network if mapped else None, data, boxes, judgements)
        pairs = write_confused(folder, data, judgements)
        for judgement in judgements:
            path = folder / "embedding" / f"{judgement.target.name}.png"
            plot_embedding(path, judgement, points, places, settings.embedding)
        write_places(folder / "embedding.csv", data.validation.image[points], places)
        if mapped:
            plot_faithfulness(folder / "faithfulness.png", faithfulness, evaluate.confidence)
        plot_slices(folder / "slices.png", slices, evaluate.confidence)
        write_slices(folder / "slices.csv", slices)
    content = {
        "maps": ("class activation" if head.linear else "gradient") if mapped else "none",
        "embedding": settings.embedding,
        "images": len(row),
        "targets": summarise_explanation(targets, faithfulness, pairs, slices),
    }
    lines = [] if mapped else ["no heat maps: the features are of no map with more than one place"]
    lines += [*(describe_faithfulness(*judgement) for judgement in faithfulness.items()), *describe_slices(slices)]
    print(*lines, sep="\n")
    write_json(Path("metrics/explain.json"), content)  # last, so that it does not outlive a failure above
    return {"maps": content["maps"], "notes": lines}


if __name__ == "__main__":
    run("explain", explain)
