"""The labelling config of Label Studio, XML: written for a set of targets, and read back from whoever sends one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.parsers import expat

from lacuna.core.targets import Targets
from lacuna.errors import LacunaError

IMAGE_KEY = "image"
"""What the picture is called in the config, and its address in a task's data; no target can have this name."""

HINT = "hint"
"""The key of a task's data with a line for the person who labels it."""

MAX_CONFIG_BYTES = 4_000_000
"""Of a config that is read: a target with 10,000 classes takes a tenth."""

NOT_XML = re.compile("[\ufffe\uffff]")
"""What XML cannot hold at all, beyond the control characters that no class has."""


@dataclass
class Control:
    """A group of choices: its name, which is that of a target, the picture it is about, and the words to choose from.

    image_key: where the picture's address stands in a task's data.
    """

    name: str
    to_name: str
    image_key: str
    choices: list[str] = field(default_factory=list)


def label_config(targets: Targets) -> str:
    """The config with a group of single choices per target; nothing chosen means unknown.

    Raises LacunaError for a class that XML cannot hold.
    """
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", {"value": f"${HINT}", "size": "5"})
    ElementTree.SubElement(view, "Image", {"name": IMAGE_KEY, "value": f"${IMAGE_KEY}", "zoom": "true"})
    for target in targets:
        ElementTree.SubElement(view, "Header", {"value": _shown(target.name), "size": "4"})
        about = {"name": target.name, "toName": IMAGE_KEY, "choice": "single", "showInline": "true"}
        choices = ElementTree.SubElement(view, "Choices", about)
        for word in target.classes:
            if NOT_XML.search(target.name + word):
                raise LacunaError(
                    f"class {word[:80]!r} of {target.name}: XML cannot hold it; rename it in the label file"
                )
            alias = {} if _shown(word) == word else {"alias": word}
            ElementTree.SubElement(choices, "Choice", {"value": _shown(word), **alias})
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def default_controls(classes: Mapping[str, list[str]]) -> list[Control]:
    """The controls that `label_config` writes, by target and its classes."""
    return [Control(name, IMAGE_KEY, IMAGE_KEY, words) for name, words in classes.items()]


def read_controls(text: str) -> list[Control]:
    """The groups of choices about a picture in a config from elsewhere.

    Raises LacunaError when it is too large, no XML, or has a document type, by which a short text can become a huge
    one.
    """
    if len(text) > MAX_CONFIG_BYTES:
        raise LacunaError(f"the labelling config has {len(text)} characters, expected at most {MAX_CONFIG_BYTES}")
    controls: dict[str, Control] = {}
    images: dict[str, str] = {}
    open_controls: list[Control] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if tag == "Choices":
            open_controls.append(controls.setdefault(name, Control(name, attributes.get("toName", ""), "")))
        elif tag == "Choice" and open_controls:
            open_controls[-1].choices.append(attributes.get("alias") or value)
        elif tag == "Image" and value.startswith("$"):
            images[name] = value[1:]

    def end(tag: str) -> None:
        if tag == "Choices":
            open_controls.pop()

    def refuse(*_: object) -> None:
        raise LacunaError("the labelling config has a document type, expected tags alone")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.encode(errors="replace"), True)
    except (expat.ExpatError, ValueError) as error:
        raise LacunaError(f"the labelling config is not valid XML: {error}") from None
    for control in controls.values():
        control.image_key = images.get(control.to_name, "")
    return [control for control in controls.values() if control.image_key]


def _shown(text: str) -> str:
    """As a label on the screen, where Label Studio takes $word for a variable and would show nothing."""
    return text.replace("$", "\N{FULLWIDTH DOLLAR SIGN}")
