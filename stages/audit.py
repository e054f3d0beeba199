"""What the labels can support, before hours are spent: signal, leaks, label issues, what to label next.

No image and no known label of the test part is looked at.

    python -m stages.audit
"""

from pathlib import Path

import numpy as np

from lacuna.analysis.audit.audit import audit_targets
from lacuna.analysis.audit.duplicate_labels import count_across
from lacuna.analysis.audit.metadata import describe_files
from lacuna.analysis.audit.plots import plot_audit
from lacuna.analysis.audit.projection import project
from lacuna.analysis.audit.report import audit_notes, audit_table, conclude_audit, describe_issues, summarise_audit
from lacuna.analysis.audit.signal import permutations_for
from lacuna.analysis.audit.tables import write_conflicts, write_label_issues, write_to_label, write_to_label_test
from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureStore
from lacuna.core.files_table import read_duplicates
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Targets
from lacuna.io.atomic import atomic_folder, write_json
from lacuna.io.sharded_array import open_rows
from stages._run import Facts, run

FILES = Path("data/images/files.csv")


def audit(params: Params) -> Facts:
    targets = Targets.load(Path("data/prepared/targets.json"))
    whole = Manifest.load(Path("data/prepared/manifest.csv"), targets)
    duplicates = read_duplicates(FILES)
    across = count_across(duplicates[whole.row], whole.split)
    manifest = whole.without_test()
    copies = duplicates[manifest.row]

    images = open_rows(Path("data/images/pixels"))
    store = FeatureStore.open(Path("data/features"))
    features = project(store.features[:, :, store.info.layout.first], manifest.row)
    fields = describe_files(FILES, manifest.row, images, params.data.resize)
    audits = audit_targets(targets, manifest, features, fields, copies, params.evaluate.confidence, params.audit)

    frame = {
        "images": len(manifest),
        "groups": len(np.unique(manifest.group)),
        "dimensions": features.shape[1],
        "permutations": permutations_for(params.audit),
        "alpha": params.audit.alpha,
        "confidence": params.evaluate.confidence,
    }
    escapes = params.audit.escape_formulas
    with atomic_folder(Path("data/audit")) as folder:
        write_label_issues(folder / "label_issues.csv", manifest, audits, escapes)
        write_to_label(folder / "to_label.csv", manifest, audits, escapes)
        write_to_label_test(folder / "to_label_test.csv", whole.part("test"), targets, params.audit.seed, escapes)
        write_conflicts(folder / "conflicts.csv", manifest, copies, audits, escapes)
    with atomic_folder(Path("plots/audit")) as folder:
        plot_audit(folder, audits, manifest, copies, images)
    write_json(Path("metrics/audit.json"), summarise_audit(audits, across, frame))

    notes = audit_notes(audits, across)
    print(f"{frame['images']} images of training and validation\n{audit_table(audits)}\n{conclude_audit(audits)}.")
    for line in describe_issues(audits) + [f"warning: {note}" for note in notes]:
        print(line)
    return {"conclusion": conclude_audit(audits), "notes": notes}


if __name__ == "__main__":
    run("audit", audit)
