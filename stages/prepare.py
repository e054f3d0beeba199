"""Read the labels, split by group, compute class weights from the known training labels.

python -m stages.prepare
"""

from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.params import Params
from lacuna.core.manifest import PARTS, Manifest
from lacuna.core.relations import relevant, save_relations
from lacuna.data.images.ingested import read_ingested
from lacuna.data.labels import label_report
from lacuna.data.labels.class_weights import weigh_targets
from lacuna.data.labels.corrections import encode_corrected
from lacuna.data.labels.hierarchy import describe_relations, learn_relations
from lacuna.data.labels.join import group_folders, image_groups, join_labels
from lacuna.data.labels.kept_split import remember_parts, split_images
from lacuna.data.labels.label_table import Dropped
from lacuna.data.labels.sources import read_labels
from lacuna.io.atomic import atomic_folder, write_json
from lacuna.io.csv_files import write_csv
from stages._run import Facts, run


def prepare(params: Params) -> Facts:
    data, split, weights = params.data, params.split, params.class_weights
    files = read_ingested(Path("data/images"))

    table = read_labels(data, files.all_names)
    joined = join_labels(table, files.rows, files.rejected, data, files.left_out)
    row = joined.image
    image = np.array(files.names, dtype=np.str_)[row]
    encoded, corrected = encode_corrected(table, joined, data, image.tolist())
    folders = group_folders(image.tolist(), data)
    group = image_groups(table, joined, files.group, folders, data)
    sha256 = [files.sha256[i] for i in row.tolist()]
    record = Path("data/split.json")
    part, moves = split_images(table, joined, encoded.labels, group, sha256, folders, data, split, record)
    manifest = Manifest(image, row, np.array(PARTS)[part], group, encoded.labels)

    targets, counts = encoded.targets, label_report.count_labels(manifest, encoded.targets)
    label_report.check_trainable(manifest, counts)
    conflicts = label_report.count_conflicts(encoded.labels, files.group[row], targets)
    metrics: dict[str, Any] = {
        "images": len(manifest),
        "groups": len(np.unique(group)),
        "images_without_labels": len(files.names) - len(manifest),
        "rows_without_image": len(joined.dropped),
        "rows_malformed": len(table.malformed),
        "rows_repeated": len(joined.repeated),
        "rows_left_out": joined.n_left_out,
        "groups_across_splits": label_report.count_crossing(group, part),
        "labels_corrected": sum(corrected.counts.values()),
        "targets": label_report.describe_targets(counts, encoded, conflicts, corrected.counts),
    }
    train = manifest.part("train")
    relations = learn_relations(train.labels, train.group, targets)
    with atomic_folder(Path("data/prepared")) as out:
        manifest.save(out / "manifest.csv", targets)
        targets.save(out / "targets.json")
        dropped = sorted([*table.malformed, *joined.dropped])
        write_csv(out / "dropped.csv", Dropped._fields, [(line or "", *rest) for line, *rest in dropped])
        weighed = weigh_targets(train.labels, targets, weights.scheme, beta=weights.beta, ceiling=weights.max)
        write_json(out / "class_weights.json", weighed)
        save_relations(out / "hierarchy.json", relations)
        remember_parts(record, split, sha256, part)
        write_json(Path("metrics/prepare.json"), metrics)

    shown = label_report.label_table(counts, targets)
    print(f"{metrics['images']} images in {metrics['groups']} groups\n{shown}{corrected}")
    if (manifest.labels < 0).any():
        print("counted are known labels; train_finetune estimates what the shares of all images are")
    if relations:
        print(f"{describe_relations(relevant(relations, targets))}: calibrate.consistent says what becomes of it")
    flaws = label_report.find_flaws(metrics, table, joined, encoded, data)
    notes = moves + flaws + label_report.find_shortages(counts, split.min_positives)
    notes += label_report.find_lone_groups(manifest)
    for note in notes:
        print(f"warning: {note}")
    return {**metrics, "notes": notes}


if __name__ == "__main__":
    run("prepare", prepare)
