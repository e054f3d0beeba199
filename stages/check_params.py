"""Stop at once when params.yaml has a mistyped key, a wrong type, an impossible value, or a column that is not there.

DVC itself lets `-S train.lr=abc` and `-S +typo=1` pass. `data/params_checked.txt` never changes, so this stage runs
after every edit of params.yaml and makes no other stage run again. `data/target_order.txt` changes with the order of
the targets, which DVC does not see and which gives the columns of a labels.txt their names. `data/fine_tuning.txt` says
whether there will be fine-tuning: another number of its epochs must not start featurize again. `data/embedded_data.txt`
says whether the stage sample has anything to do.

    python -m stages.check_params
"""

from pathlib import Path

from lacuna.config.backbone import KERAS_HUB
from lacuna.config.data import SAMPLE_FOLDER
from lacuna.config.params import Params
from lacuna.data.labels.sources.table import check_header
from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_file
from lacuna.io.remote_files import is_url
from stages._run import run


def check_params(params: Params) -> None:
    weights = params.backbone.weights
    if params.backbone.name == KERAS_HUB:
        if weights.startswith(("/", "./", "../")) and not Path(weights).is_dir():
            raise LacunaError(f"params.yaml: backbone.weights: the folder {weights} with a preset is not there")
    elif weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise LacunaError(
            f"params.yaml: backbone.weights: expected imagenet, none or the path of a file, received {weights!r}"
        )
    for key, place in (("path", params.data.path), ("labels", params.data.labels)):
        if not (is_url(params.data.path) and place == params.data.path) and not _is_there(Path(place)):
            raise LacunaError(
                f"params.yaml: data.{key}: {place} is not there; put your data there or name the place where it is "
                "(`python -m lacuna use PRESET` says where a preset's data comes from)"
            )
    if params.data.source == "table" and Path(params.data.labels).exists():
        check_header(params.data)
    if params.data.corrections and not Path(params.data.corrections).is_file():
        raise LacunaError(f"params.yaml: data.corrections: {params.data.corrections} is not there")
    order = ["targets in order:", *params.data.targets]
    fine_tuning = [f"fine-tuning: {'yes' if params.finetune.epochs else 'no'}"]
    for name, content in (
        ("params_checked", ["params.yaml is valid"]),
        ("target_order", order),
        ("fine_tuning", fine_tuning),
        ("embedded_data", [f"the embedded data set is used: {'yes' if params.data.is_embedded else 'no'}"]),
    ):
        with atomic_file(Path(f"data/{name}.txt")) as partial:
            partial.write_text("".join(f"{line}\n" for line in content), encoding="utf-8")


def _is_there(place: Path) -> bool:
    """Whether the place exists, or will: DVC tracks it, or it is the embedded data that the pipeline writes."""
    if place.exists() or place.is_relative_to(SAMPLE_FOLDER):
        return True
    return any(folder.with_name(f"{folder.name}.dvc").exists() for folder in (place, *place.parents) if folder.name)


if __name__ == "__main__":
    run("check_params", check_params)
