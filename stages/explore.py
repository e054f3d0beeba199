"""What the data is before anything is learned: tables and pictures of training and validation images and labels.

python -m stages.explore
"""

from pathlib import Path

from lacuna.analysis.explore.charts import draw_charts
from lacuna.analysis.explore.findings import find
from lacuna.analysis.explore.galleries import draw_galleries, plot_rejected
from lacuna.analysis.explore.subject import Subject
from lacuna.analysis.explore.summary import summarise_exploration
from lacuna.analysis.explore.tables import write_tables
from lacuna.config.params import Params
from lacuna.core.files_table import read_files
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Targets
from lacuna.io.atomic import atomic_folder, write_json
from lacuna.io.sharded_array import open_rows
from lacuna.io.spreadsheets import read_sheet
from stages._run import Facts, run


def explore(params: Params) -> Facts:
    options, data = params.explore, params.data
    targets = Targets.load(Path("data/prepared/targets.json"))
    manifest = Manifest.load(Path("data/prepared/manifest.csv"), targets)
    images = open_rows(Path("data/images/pixels"))
    subject = Subject.of(images, manifest, read_files(Path("data/images/files.csv")), targets)
    rejected = [(line["image"], line["reason"]) for line in read_sheet(Path("data/images/rejected.csv"))]
    left_out = len(read_sheet(Path("data/images/left_out.csv")))

    found = find(subject, data.resize, options.odd_aspect_ratio)
    content = summarise_exploration(subject, found, rejected, left_out, options.alpha)
    with atomic_folder(Path("plots/explore")) as folder:
        write_tables(folder, subject, found)
        draw_charts(folder, subject, found, options.classes, options.alpha)
        draw_galleries(folder, subject, found, params.augment, options.classes)
        if rejected:
            plot_rejected(folder / "rejected.png", Path(data.path), rejected, data.max_pixels)
    write_json(Path("metrics/explore.json"), content)  # last, so that it doesn't outlive a failure above

    print(f"{content['images']['looked_at']} training and validation images, pictures in plots/explore")
    for sentence in content["findings"]:
        print(f"- {sentence}")
    return {"images": content["images"]["looked_at"], "findings": content["findings"]}


if __name__ == "__main__":
    run("explore", explore)
