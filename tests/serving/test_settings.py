"""The options of `python -m lacuna serve` and the settings that they become."""

from pathlib import Path

import pytest

from lacuna.cli import main
from lacuna.serving.settings import Settings


def test_a_command_line_without_options_asks_for_the_limits_that_the_settings_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LACUNA_API_KEY", raising=False)
    asked: list[Settings] = []

    def serve(settings: Settings, host: str, port: int) -> int:
        asked.append(settings)
        return 0

    monkeypatch.setattr("lacuna.serving.server.serve_models", serve)
    assert main(["serve"]) == 0
    assert asked == [Settings((Path("models/bundle"),))]
