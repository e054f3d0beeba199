"""Texts as MLflow takes them: a user's names become keys, long values are cut.

MLflow takes letters, digits, `_`, `-`, `.`, blanks and `/` in a name, at most 250 of them, and treats it as a path.
"""

import hashlib
import posixpath
import re

MAX_NAME, MAX_PARAM, MAX_TAG = 250, 6000, 8000
"""The most characters of a name, of a parameter's value and of a tag's."""

DIGEST = re.compile(r"-[0-9a-f]{12}$")


def mlflow_name(text: str) -> str:
    """The name of a metric, a parameter or an artifact in MLflow: `text` itself where MLflow accepts it.

    Otherwise `_` replaces what MLflow refuses, the text is cut, and 12 digits of its SHA-256 are appended. A text that
    already ends like that gets digits as well: different texts never have the same name.

    >>> mlflow_name("validation/targets.person.f1")
    'validation/targets.person.f1'
    >>> mlflow_name("audit/classes.w/")
    'audit/classes.w/_-04f91158f283'
    >>> mlflow_name("size (cm)")
    'size _cm_-0a2521a0c8ee'
    """
    if (
        len(text) <= MAX_NAME
        and re.fullmatch(r"[\w.\- /]+", text)
        and posixpath.normpath(text) == text
        and not text.startswith(("/", ".."))
        and text != "."
        and not DIGEST.search(text)
    ):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    parts = re.sub(r"[^\w.\- /]", "_", text).split("/")
    readable = "/".join("_" if part in ("", ".", "..") else part.replace("..", "__") for part in parts)
    return f"{readable[: MAX_NAME - 13]}-{digest}"


def mlflow_value(value: object, most: int) -> str:
    """`value` as text of at most `most` characters. A longer text is cut and ends with its full length."""
    text = str(value)
    if len(text) <= most:
        return text
    note = f"… ({len(text)} characters)"
    return text[: most - len(note)] + note
