"""Every runtime is a row of one table, and what people read names the same ones."""

import re
from pathlib import Path

import pytest

from lacuna.errors import LacunaError
from lacuna.inference.output_files import WRITERS
from lacuna.inference.predictor import Predictor
from lacuna.inference.runtimes import EXACT_RUNTIMES, RUNTIMES, load_network


def test_a_runtime_that_is_none_is_named_with_those_that_are(tmp_path: Path) -> None:
    expected = "runtime 'tensorrt': expected one of openvino, openvino-bf16, openvino-int8, onnx, litert, keras"
    for load in (load_network, Predictor.load):
        with pytest.raises(LacunaError, match=expected):
            load(tmp_path, "tensorrt")


def test_the_runtimes_that_must_agree_with_keras_need_no_keras() -> None:
    assert EXACT_RUNTIMES == ("openvino", "onnx")
    assert [name for name, runtime in RUNTIMES.items() if runtime.needs_keras] == ["keras"]


def test_the_page_on_predicting_names_every_runtime_file_and_format(repository: Path) -> None:
    page = (repository / "docs/predict.md").read_text(encoding="utf-8")
    runtimes = page.partition("\n## Runtimes\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w[\w-]*)` \|", runtimes, re.MULTILINE)) == set(RUNTIMES)
    bundle = page.partition("\n## The bundle\n")[2].partition("\n## ")[0]
    files = {file for runtime in RUNTIMES.values() for file in runtime.files}
    assert files <= set(re.findall("`([^`]+)`", bundle))
    (out,) = re.findall(r"^\| `--out FILE` \|(.*)$", page, re.MULTILINE)
    assert set(re.findall(r"`(\.\w+)`", out)) == set(WRITERS)
