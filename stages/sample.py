"""Write the embedded default data set: emoji pictures, labels with gaps, and the truth the pipeline never reads.

python -m stages.sample
"""

from lacuna.config.data import SAMPLE_FOLDER
from lacuna.config.params import Params
from lacuna.data.sample import write_sample
from lacuna.io.atomic import atomic_folder
from stages._run import Facts, run


def sample(params: Params) -> Facts:
    settings = params.sample
    with atomic_folder(SAMPLE_FOLDER) as out:
        if not params.data.is_embedded:
            (out / "not_used.txt").write_text("params.yaml names other data\n", encoding="utf-8")
            print(f"{params.data.path} is used: the embedded data set is not written")
            return {}
        counts = write_sample(out, images=settings.images, withhold=settings.withhold, seed=settings.seed)
    print(
        f"{counts['images']} emoji of {counts['concepts']} concepts, {counts['cells_withheld']} label cells withheld; "
        "Twemoji pictures, CC-BY 4.0, see data/sample/ATTRIBUTION.txt"
    )
    return counts


if __name__ == "__main__":
    run("sample", sample)
