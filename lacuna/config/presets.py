"""Set params.yaml to a preset and keep its comments.

A preset is a YAML file with the parameters that differ from the default. It is laid over `default.yaml` in the same
folder, so that the result does not depend on the preset before; other values in params.yaml stay as they are.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import PlainScalarString, ScalarString

from lacuna.config.load import parse_params
from lacuna.config.params import FREE_MAPPINGS
from lacuna.config.renamed import BECAME_LISTS, REMOVED, RENAMED
from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_file

DEFAULT = "default"

RAW_DATA = PurePosixPath("data/raw")
"""Where presets expect the user's data; `data_folder` takes its place."""

_ITEM = r"""(?:'(?:[^'\n]|'')*'|"[^"\n]*"|-?[^\s'"\[{&*!|>%@`#-][^\n#:]*)"""
BLOCK_LIST = re.compile(
    rf"^(?P<key>(?P<indent> *)\w+): *(?P<comment>#.*)?\n(?P<items>(?:(?P=indent)(?:  )?- {_ITEM} *\n)+)"
    r"(?!(?P=indent)(?:  )?- )",
    re.M,
)
"""A list of plain items below each other."""


@dataclass(frozen=True)
class Changes:
    """What a preset changed in params.yaml.

    values: key, old and new one. renamed: file, and a key's old and new name. removed: file, and a key that is no
    parameter any more.
    """

    values: list[tuple[str, Any, Any]]
    renamed: list[tuple[Path, str, str]]
    removed: list[tuple[Path, str]]


def use_preset(preset: str, params_file: Path, presets_folder: Path, data_folder: str | None) -> Changes:
    """Write a preset's values into `params_file`; return what changed.

    `preset` is a name in `presets_folder` or the path of a YAML file. With `data_folder`, `data.path` and `data.labels`
    point below it instead of below data/raw. Keys that have another name now get it, with their values and comments;
    those that are gone are taken out. In the preset's file both stay. Raises LacunaError, and writes nothing, when
    there is no such preset or the result is not valid.
    """
    path = _find(preset, presets_folder)
    original = params_file.read_text(encoding="utf-8") if params_file.exists() else ""
    params, values, chosen = _read(params_file), _read(presets_folder / f"{DEFAULT}.yaml"), _read(path)
    files = ((params_file, params), (path, chosen))
    renamed = [(file, *names) for file, content in files for names in _rename(content, file)]
    removed = [(file, key) for file, content in files for key in _remove(content)]
    before = dict(_leaves(params))
    _lay_over(values, chosen)
    _lay_over(params, values)
    parse_params(params, source=f"{params_file.name} with {path}")
    if data_folder is not None:
        _move_data(params["data"], data_folder, path)
    _write(params_file, params, original)
    changed = [(key, before.get(key), value) for key, value in _leaves(params) if before.get(key) != value]
    return Changes(changed, renamed, removed)


def write_values(params_file: Path, values: Mapping[str, Any]) -> None:
    """Write blocks of values into `params_file`, its comments kept. Raises LacunaError, and writes nothing, where the
    result is not valid."""
    original, params = params_file.read_text(encoding="utf-8"), _read(params_file)
    _rename(params, params_file)
    _remove(params)
    _lay_over(params, values)
    parse_params(params, source=params_file.name)
    _write(params_file, params, original)


def missing_data(preset: str, params_file: Path, presets_folder: Path) -> str | None:
    """One line when the data of a preset that was put into `params_file` is not there: where it belongs and comes from.

    The latter stands in the preset's comment, as the lines that begin with `# Data:`; presets without bring their own.
    """
    origin = re.search(r"^# Data: (.+(?:\n#   .+)*)", _find(preset, presets_folder).read_text(encoding="utf-8"), re.M)
    data = _read(params_file)["data"]
    missing = [place for place in dict.fromkeys([data["path"], data["labels"]]) if not Path(place).exists()]
    if origin is None or not missing:
        return None
    where_from = re.sub(r"\n# +", " ", origin[1])
    return f"{' and '.join(missing)}: not there yet; {where_from}"


def preset_names(presets_folder: Path) -> list[str]:
    return sorted(path.stem for path in presets_folder.glob("*.yaml"))


def _find(preset: str, presets_folder: Path) -> Path:
    named = presets_folder / f"{preset}.yaml"
    if preset in preset_names(presets_folder):
        return named
    if Path(preset).is_file():
        return Path(preset)
    names = ", ".join(preset_names(presets_folder)) or f"nothing, {presets_folder} holds no .yaml file"
    raise LacunaError(f"no preset {preset!r}: expected {names}, or the path of a YAML file")


def _yaml() -> YAML:
    """YAML 1.2 that keeps comments, quotes and long lines."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml


def _read(path: Path) -> Any:
    try:
        content = _yaml().load(_lists_in_lines(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file; run from the project's root folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise LacunaError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise LacunaError(f"{path}: expected blocks of parameters, such as `train:` with lines below it")
    return content


def _lists_in_lines(text: str) -> str:
    """The YAML text with lists of plain items, which `dvc exp run -S` writes below each other, in one line again.

    ruamel hangs the comments that follow such a list on its last item, and would lose them with it.

    >>> _lists_in_lines("sizes:   # in pixels\\n- 224\\n- 'a, b'\\nviews: 1\\n")
    "sizes: [224, 'a, b']  # in pixels\\nviews: 1\\n"
    """

    def join(found: re.Match[str]) -> str:
        items = [line.strip()[2:].strip() for line in found["items"].splitlines()]
        quoted = [item if item[0] in "'\"" or not re.search(r"[,\[\]{}]", item) else json.dumps(item) for item in items]
        comment = f"  {found['comment']}" if found["comment"] else ""
        return f"{found['key']}: [{', '.join(quoted)}]{comment}\n"

    return BLOCK_LIST.sub(join, text)


def _rename(params: CommentedMap, source: Path) -> list[tuple[str, str]]:
    """Give keys by old names their new ones, in place, values and comments kept; return the old and new names.

    Raises LacunaError where the new name is there as well.
    """
    renamed = []
    for old, new in RENAMED.items():
        block, _, key = old.rpartition(".")
        content = params.get(block) if block else params
        if not isinstance(content, CommentedMap) or key not in content:
            continue
        into, _, name = new.rpartition(".")
        moved = into != block
        target = params.setdefault(into, CommentedMap()) if moved else content
        if name in target:
            raise LacunaError(f"{source}: {old} is the old name of {new}, and both are there; remove {old}")
        place = 0 if moved else list(content).index(key)
        value, comment = _take(content, key) if moved else (content.pop(key), content.ca.items.pop(key, None))
        target.insert(place, name, _listed(value) if old in BECAME_LISTS else value)
        if comment is not None:
            target.ca.items[name] = comment
        renamed.append((old, new))
    return renamed


def _remove(params: CommentedMap) -> list[str]:
    """Take out the keys that are no parameters any more, in place; return them."""
    removed = []
    for key in REMOVED:
        block, _, name = key.rpartition(".")
        content = params.get(block)
        if isinstance(content, CommentedMap) and name in content:
            _take(content, name)
            removed.append(key)
    return removed


def _take(content: CommentedMap, key: str) -> tuple[Any, Any]:
    """Take a key out of a block; return its value and the comment behind it, as ruamel keeps it, or None.

    ruamel adds what follows a block, such as an empty line and the comment on the next block, to the comment of its
    last key: that stays.
    """
    value, comment = content.pop(key), content.ca.items.pop(key, None)
    token = comment[2] if comment else None
    if token is None:
        return value, None
    own, newline, below = token.value.partition("\n")
    if below:
        token.value = own + newline
        last = next(reversed(content), None)
        before = content.ca.items[last][2] if last in content.ca.items else None
        if before is not None:
            before.value = before.value.rstrip("\n") + "\n" + below
        elif last is not None:
            content.yaml_set_comment_before_after_key(last, after=below)
    return value, comment if own else None


def _listed(value: Any) -> CommentedSeq:
    listed = CommentedSeq([value])
    listed.fa.set_flow_style()
    return listed


def _lay_over(values: Any, changes: Any, block: str = "") -> None:
    """Set the keys of nested mappings in place, so that the comments beside them stay."""
    for key, change in changes.items():
        if block + key in FREE_MAPPINGS and isinstance(change, dict):
            values[key] = CommentedMap(change)  # whole, so that nothing is left of the preset before
            if not change:
                values[key].fa.set_flow_style()  # in block style, ruamel puts an empty mapping where YAML forbids it
        elif isinstance(change, dict) and isinstance(values.get(key), dict):
            _lay_over(values[key], change, f"{block}{key}.")
        else:
            # ruamel gives a bare string the quotes of the one it replaces, unless it is marked as plain.
            bare = isinstance(change, str) and not isinstance(change, ScalarString)
            new = PlainScalarString(change) if bare else change
            if block and key not in values:
                values.insert(0, key, new)  # at the end it would stand below the comment on the next block
            else:
                values[key] = new


def _leaves(values: Any, block: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and block + key not in FREE_MAPPINGS:
            yield from _leaves(value, f"{block}{key}.")
        else:
            yield block + key, dict(value) if isinstance(value, dict) else value


def _move_data(data: Any, data_folder: str, preset: Path) -> None:
    folder = Path(data_folder).expanduser()
    if not folder.is_dir():
        raise LacunaError(f"--data {data_folder}: no such folder")
    for key in ("path", "labels"):
        place = PurePosixPath(data[key])
        if not place.is_relative_to(RAW_DATA):
            raise LacunaError(f"--data: {preset} brings its own data ({key}: {place}); leave --data out")
        data[key] = PlainScalarString((folder / place.relative_to(RAW_DATA)).as_posix())


def _write(params_file: Path, params: Any, original: str) -> None:
    """Raises LacunaError, and writes nothing, where the text would not say what the parameters do."""
    text = _dump(params, original)
    try:
        says_the_same = _yaml().load(text) == params
    except YAMLError:
        says_the_same = False
    if not says_the_same:
        raise LacunaError(
            f"{params_file}: cannot be changed in the form that it has; git checkout {params_file} brings back the "
            "committed one"
        )
    with atomic_file(params_file) as partial:
        partial.write_text(text, encoding="utf-8")


def _dump(params: Any, original: str) -> str:
    """The YAML text; in lines that changed, comments stand two spaces behind the value again."""
    text = io.StringIO()
    _yaml().dump(params, text)
    comments, kept = set(_comments(params)), set(original.split("\n"))
    lines = []
    for line in text.getvalue().split("\n"):
        parts = re.fullmatch(r"(.*?\S) +(#.*)", line)
        moved = parts is not None and parts[2] in comments and line not in kept
        lines.append(f"{parts[1]}  {parts[2]}" if parts and moved else line)
    return "\n".join(lines)


def _comments(values: Any) -> Iterator[str]:
    """The comments behind values."""
    for key, value in values.items():
        token = values.ca.items.get(key, [None] * 3)[2]
        if token is not None:
            yield token.value.split("\n")[0]
        if isinstance(value, CommentedMap):
            yield from _comments(value)
