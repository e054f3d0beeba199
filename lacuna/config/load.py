"""params.yaml read and validated: a mistake in it raises LacunaError with one line that names the key."""

import difflib
import re
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lacuna.config.params import Params
from lacuna.config.renamed import BECAME_LISTS, REMOVED, RENAMED
from lacuna.errors import LacunaError


def parse_params(content: object, *, source: str = "params.yaml") -> Params:
    """Validate the content of a params file.

    Raises LacunaError with one line: for each mistake the key, what was expected and what was received. Of a key by its
    old name, the new name; of one that is gone, why.
    """
    if not isinstance(content, dict):
        raise LacunaError(f"{source}: expected blocks of parameters, such as `train:` with lines below it")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        renamed = {RENAMED.get(_key(mistake)) for mistake in mistakes}
        said = [_describe(each) for each in mistakes if each["type"] != "missing" or _key(each) not in renamed]
        raise LacunaError(f"{source}: {'; '.join(said)}") from None


def load_params(path: Path) -> Params:
    """Read and validate a params file. YAML 1.2, so that `1e-5` is a number as DVC writes it."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file; run from the project's root folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise LacunaError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return parse_params(content, source=path.name)


def _key(mistake: Any) -> str:
    return ".".join(str(part) for part in mistake["loc"])


def _describe(mistake: Any) -> str:
    location, key = mistake["loc"], _key(mistake)
    kind, received = mistake["type"], mistake["input"]
    if key in RENAMED and kind == "extra_forbidden":
        return f"{key}: renamed, write {RENAMED[key]}" + (f": [{received}]" if key in BECAME_LISTS else "")
    if key in REMOVED and kind == "extra_forbidden":
        return f"{key}: no parameter any more, remove it ({REMOVED[key]})"
    if kind == "extra_forbidden":
        return f"{key}: unknown key{_suggestion(location)}"
    if kind == "missing":
        return f"{key}: missing, expected a value"
    if kind == "value_error":
        return f"{key}: {mistake['ctx']['error']}".removeprefix(": ")
    expected = re.sub(r"^\w+ should (be|have) ", "", mistake["msg"]).replace("a valid tuple", "a list")
    expected = re.sub("a valid dictionary.*", "keys with values below it", expected)
    return f"{key}: expected {expected}, received {received!r}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    model: Any = Params
    for part in location[:-1]:  # below a mapping of the user's own keys stand its values
        model = get_args(model)[1] if get_origin(model) is dict else model.model_fields[part].annotation
    close = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
    return f", did you mean {close[0]}?" if close else f", expected one of {', '.join(model.model_fields)}"
