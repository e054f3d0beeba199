"""Read the labels, split by group, compute class weights from the known training labels.

python -m stages.prepare
"""

from dataclasses import replace
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
from lacuna.data.labels.kept_split import open_record, split_images, split_name
from lacuna.data.labels.label_table import Dropped
from lacuna.data.labels.sources import read_labels
from lacuna.data.labels.split_record import drop_former_record
from lacuna.io.arrow_memory import give_back
from lacuna.io.atomic import atomic_folder, write_json
from lacuna.io.spreadsheets import write_sheet
from stages._run import Facts, run

RECORD = Path("data/split.csv")


def prepare(params: Params) -> Facts:
    data, split, weights = params.data, params.split, params.class_weights
    files = read_ingested(Path("data/images"))
    table = read_labels(data, files.all_names)
    give_back()
    joined = join_labels(table, files.all_names, files.rejected, data, files.left_out)
    row, rows = joined.image, label_report.count_rows(table, joined, len(files.names))
    files = files.take(row)
    encoded, corrected = encode_corrected(table, joined, data, files.names)
    targets, labels = encoded.targets, encoded.labels
    table = replace(table, labels={})  # encoded now, and large
    folders = group_folders(files.names.cells, data)
    group = image_groups(table, joined, files.group, folders, data)
    record = open_record(RECORD, split)
    part, moves = split_images(table, joined, labels, group, files.sha256, folders, data, split, record)

    counts = label_report.count_labels(labels, part, targets)
    label_report.check_trainable(group, part, counts)
    conflicts = label_report.count_conflicts(labels, files.group, targets)
    metrics: dict[str, Any] = {
        "images": len(labels),
        "groups": int((group == row).sum()),  # by the smallest row of each
        **rows,
        "groups_across_splits": label_report.count_crossing(group, part),
        "labels_corrected": sum(corrected.counts.values()),
        "targets": label_report.describe_targets(counts, encoded, conflicts, corrected.counts),
    }
    notes = moves + label_report.find_flaws(metrics, table, joined, encoded, data)
    notes += label_report.find_shortages(counts, split.min_positives) + label_report.find_lone_groups(group, part)
    dropped = sorted([*table.malformed, *joined.dropped])
    del table, joined, encoded  # the memory is for what is written
    train = part == PARTS.index("train")
    relations = learn_relations(labels[train], group[train], targets)
    with atomic_folder(Path("data/prepared")) as out:
        image = files.names.cells.to_numpy(zero_copy_only=False)
        Manifest(image, row, np.array(PARTS)[part], group, labels).save(out / "manifest.csv", targets)
        targets.save(out / "targets.json")
        write_sheet(out / "dropped.csv", Dropped._fields, [(line or "", *rest) for line, *rest in dropped])
        weighed = weigh_targets(labels[train], targets, weights.scheme, beta=weights.beta, ceiling=weights.max)
        write_json(out / "class_weights.json", weighed)
        save_relations(out / "hierarchy.json", relations)
        record.with_split(split_name(split), files.sha256, part).save(RECORD)
        write_json(Path("metrics/prepare.json"), metrics)
    print(drop_former_record(RECORD), end="")

    shown = label_report.label_table(counts, targets)
    print(f"{metrics['images']} images in {metrics['groups']} groups\n{shown}{corrected}")
    if (labels < 0).any():
        print("counted are known labels; train_finetune estimates what the shares of all images are")
    if relations:
        print(f"{describe_relations(relevant(relations, targets))}: calibrate.consistent says what becomes of it")
    for note in notes:
        print(f"warning: {note}")
    return {**metrics, "notes": notes}


if __name__ == "__main__":
    run("prepare", prepare)
