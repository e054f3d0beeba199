"""Every command and make target is documented (parameters: test_config.py), and links between pages lead somewhere."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lacuna.calibration.model import Calibration
from lacuna.core.targets import Target, Targets
from tests.tiny_bundle import CALIBRATION, write_tiny_bundle

REPOSITORY = Path(__file__).parents[1]

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def pages() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def make_targets() -> list[str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    return [target for target in phony.split() if target != "repro"]  # repro is plain `make`


def commands() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lacuna", "--help"], cwd=REPOSITORY, text=True, capture_output=True, check=True
    )
    (choices,) = re.findall(r"\{([\w,-]+)\}", done.stdout)[:1]
    return choices.split(",")


@pytest.mark.parametrize("target", make_targets())
def test_every_make_target_is_documented(pages: str, target: str) -> None:
    assert re.search(rf"make {target}(?![\w-])", pages)


def test_every_command_is_documented(pages: str) -> None:
    assert [command for command in commands() if f"python -m lacuna {command}" not in pages] == []


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_the_python_examples_give_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """README's last section on a bundle of the same targets, whose answers follow from the image's mean colours."""
    names = ("category", "animal")
    targets = Targets(
        (Target("category", "categorical", ("travel", "nature")), Target("animal", "binary", ("absent", "present")))
    )
    calibration = Calibration(dict(zip(names, CALIBRATION.targets.values(), strict=True)))
    write_tiny_bundle(tmp_path / "models/bundle", targets, calibration)
    Image.new("RGB", (32, 32), (255, 0, 255)).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    example = text[text.index("## From Python") :]
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    runner.run(doctest.DocTestParser().get_doctest(example, {}, "README", "README.md", 0))
    assert runner.tries >= 8
    assert runner.failures == 0
