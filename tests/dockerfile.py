"""A Dockerfile as data, so that a test does what the image does."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """`copies` are pairs of (source, destination) in the order of the file; `environment` keeps its $references."""

    base: str
    copies: list[tuple[str, str]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    instructions: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        found: list[str] = json.loads(self.instructions["CMD"])
        return found

    @property
    def health_check(self) -> list[str]:
        found: list[str] = json.loads(self.instructions["HEALTHCHECK"].partition("CMD ")[2])
        return found


def read_dockerfile(path: Path) -> list[Stage]:
    """The stages of a Dockerfile as simple as ours: no ARG, no ADD, one source for each COPY."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append(Stage(rest.split()[0]))
        elif word == "COPY":
            *options, source, destination = rest.split()
            if not options:
                stages[-1].copies.append((source, destination))
        elif word == "RUN":
            stages[-1].runs.append(rest)
        elif word == "ENV":
            stages[-1].environment |= dict(pair.split("=", 1) for pair in rest.split())
        elif word:
            stages[-1].instructions[word] = rest
    return stages
