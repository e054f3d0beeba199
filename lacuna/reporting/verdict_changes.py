"""Which targets' verdicts on test differ from those of another commit, as Markdown for a pull request.

python -m lacuna.reporting.verdict_changes COMMIT
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lacuna.errors import LacunaError
from lacuna.stats.numbers import percent

TEST_METRICS = Path("metrics/test.json")

ABSENT = "-"


def describe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """A table of the targets whose verdict changed, that are new or are gone, and their F1 in percent; or that there is
    none. Both are the content of metrics/test.json, which may be empty."""
    old, new = before.get("targets", {}), now.get("targets", {})
    rows = [
        f"| {_cell(name)} | {_verdict(old, name)} | {_verdict(new, name)} | {_f1(old, name)} | {_f1(new, name)} |"
        for name in dict.fromkeys((*old, *new))
        if _verdict(old, name) != _verdict(new, name)
    ]
    if not rows:
        return "### Verdicts\n\nNo target's verdict changed."
    header = ["| target | verdict before | verdict now | F1 before | F1 now |", "|---|---|---|---|---|"]
    return "\n".join(["### Verdicts that changed", "", *header, *rows])


def read_committed(commit: str, path: Path = TEST_METRICS) -> Mapping[str, Any]:
    """A metrics file as it was in a commit; empty when that had none. Raises LacunaError for what is no commit."""
    if _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").returncode:
        raise LacunaError(f"{commit!r}: no commit of this repository; in a shallow clone fetch it first")
    shown = _git("show", "--end-of-options", f"{commit}:{path.as_posix()}")
    content: Mapping[str, Any] = {} if shown.returncode else json.loads(shown.stdout)
    return content


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)


def _verdict(targets: Mapping[str, Any], name: str) -> str:
    return str(targets[name]["verdict"]) if name in targets else ABSENT


def _f1(targets: Mapping[str, Any], name: str) -> str:
    return percent(targets[name], "f1") if name in targets else ABSENT


def _cell(name: str) -> str:
    return name.replace("|", "\\|")


def main(commit: str) -> None:
    try:
        before = read_committed(commit)
        now = json.loads(TEST_METRICS.read_text(encoding="utf-8"))
    except (LacunaError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(describe_changes(before, now))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m lacuna.reporting.verdict_changes COMMIT")
    main(sys.argv[1])
