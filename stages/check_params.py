"""Stop at once when params.yaml has a mistyped key, a wrong type or an impossible value.

DVC itself lets `-S train.lr=abc` and `-S +typo=1` pass. What is written never changes, so this stage runs after
every edit of params.yaml and makes no other stage run again.

    python -m stages.check_params
"""

from pathlib import Path

from lacuna.config import Params
from lacuna.files import whole_file
from stages._run import run


def check_params(params: Params) -> None:
    with whole_file(Path("data/params_checked.txt")) as partial:
        partial.write_text("params.yaml is valid\n", encoding="utf-8")


if __name__ == "__main__":
    run("check_params", check_params)
