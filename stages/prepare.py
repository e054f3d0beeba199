"""Read the labels, split by group, compute class weights from the known training labels.

python -m stages.prepare
"""

from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.params import Params
from lacuna.core.files_table import read_lines
from lacuna.core.manifest import PARTS, Manifest
from lacuna.core.relations import relevant, save_relations
from lacuna.data.labels import label_report
from lacuna.data.labels.class_weights import weigh_targets
from lacuna.data.labels.corrections import encode_corrected
from lacuna.data.labels.encode import image_groups, join_labels
from lacuna.data.labels.hierarchy import describe_relations, learn_relations
from lacuna.data.labels.kept_split import remember_parts, split_images
from lacuna.data.labels.sources import Dropped, read_labels
from lacuna.io.atomic import atomic_folder, write_json
from lacuna.io.csv_files import read_csv, write_csv
from stages._run import Facts, run


def prepare(params: Params) -> Facts:
    data, split, weights = params.data, params.split, params.class_weights
    files = read_lines(Path("data/images/files.csv"), ("image", "row", "group", "sha256"))
    names = {line["image"]: int(line["row"]) for line in files}
    rejected = {line["image"]: line["reason"] for line in read_csv(Path("data/images/rejected.csv"))}
    left_out = [line["image"] for line in read_csv(Path("data/images/left_out.csv"))]
    duplicates = np.array([line["group"] for line in files], dtype=np.int64)

    label_file = read_labels(data, [*names, *rejected, *left_out])
    joined = join_labels(label_file, names, rejected, data.max_rejected, left_out)
    encoded, corrected = encode_corrected(label_file, joined, data, names)
    row = np.array(list(joined.rows), dtype=np.int64)
    group = image_groups(joined, duplicates, data)
    sha256 = [files[i]["sha256"] for i in row.tolist()]
    record = Path("data/split.json")
    part, moves = split_images(label_file, joined, encoded.labels, group, sha256, data, split, record)
    image = np.array(list(names), dtype=np.str_)[row]
    manifest = Manifest(image, row, np.array(PARTS)[part], group, encoded.labels)

    targets, counts = encoded.targets, label_report.count_labels(manifest, encoded.targets)
    label_report.check_trainable(manifest, counts)
    conflicts = label_report.count_conflicts(encoded.labels, duplicates[row], targets)
    metrics: dict[str, Any] = {
        "images": len(manifest),
        "groups": len(np.unique(group)),
        "images_without_labels": len(files) - len(manifest),
        "rows_without_image": len(joined.dropped),
        "rows_malformed": len(label_file.malformed),
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
        dropped = sorted([*label_file.malformed, *joined.dropped])
        write_csv(out / "dropped.csv", Dropped._fields, [(line or "", *rest) for line, *rest in dropped])
        weighed = weigh_targets(train.labels, targets, weights.scheme, beta=weights.beta, ceiling=weights.max)
        write_json(out / "class_weights.json", weighed)
        save_relations(out / "hierarchy.json", relations)
        remember_parts(record, split, sha256, part)
        write_json(Path("metrics/prepare.json"), metrics)

    table = label_report.label_table(counts, targets)
    print(f"{metrics['images']} images in {metrics['groups']} groups\n{table}{corrected}")
    if (manifest.labels < 0).any():
        print("counted are known labels; train_finetune estimates what the shares of all images are")
    if relations:
        print(f"{describe_relations(relevant(relations, targets))}: calibrate.consistent says what becomes of it")
    flaws = label_report.find_flaws(metrics, label_file, joined, encoded, data)
    notes = moves + flaws + label_report.find_shortages(counts, split.min_positives)
    for note in notes:
        print(f"warning: {note}")
    return {**metrics, "notes": notes}


if __name__ == "__main__":
    run("prepare", prepare)
