import base64
import io
import json
import math

import pandas as pd
import pytest
from PIL import Image

from lacuna.tracking.pyfunc import _load_pyfunc, output_types
from tests.tiny_bundle import TARGETS, write_tiny_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return _load_pyfunc(str(write_tiny_bundle(tmp_path_factory.mktemp("pyfunc") / "bundle")))


def picture(colour, kind="PNG"):
    content = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_an_image_comes_as_bytes_or_as_base64_in_text_or_in_bytes(model, kind):
    content = picture("red", kind)
    images = [
        content,
        base64.b64encode(content),
        base64.b64encode(content).decode(),
        base64.encodebytes(content).decode(),
    ]
    said = model.predict(pd.DataFrame({"image": images}, dtype=object))
    assert list(said["error"]) == [None] * 4
    assert list(said["red"]) == ["present"] * 4


def test_a_row_answers_a_row_in_columns_of_decisions_and_probabilities(model):
    said = model.predict(pd.DataFrame({"image": [picture("red"), picture("blue")]}, index=[7, 3]))
    assert list(said.columns) == list(output_types(TARGETS))
    assert list(said.index) == [7, 3]
    assert list(said["colour"]) == ["green", "blue"]  # a tie goes to the first
    assert said["colour.p.blue"].dtype == float
    assert said.loc[3, "colour.p.blue"] == pytest.approx(math.e / (1 + math.e), abs=1e-5)
    assert said.loc[7, "red.p.present"] == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-5)
    assert list(said["unfamiliar"]) == [None, None]  # the bundle has no statistics to tell by


def test_an_unreadable_image_says_so_in_its_row_which_is_valid_json(model):
    images = [picture("red"), b"text", "", None, float("nan")]
    said = model.predict(pd.DataFrame({"image": images}, dtype=object))
    rows = json.loads(json.dumps(said.to_dict("records"), allow_nan=False))
    assert rows[0]["error"] is None
    assert rows[0]["red"] == "present"
    for row in rows[1:]:
        assert row.pop("error")
        assert set(row.values()) == {None}
