"""JSON of challenges and of VIA with one or two things wrong in it is read, or refused in one line."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.data.labels.tables.json_records import open_json
from lacuna.errors import LacunaError
from tests.label_sources import mutations

FGVC: dict[str, Any] = {
    "info": {"year": 2018},
    "images": [{"imageId": "1", "url": ["https://example.org/1"]}, {"imageId": "2", "url": "x"}],
    "annotations": [{"imageId": "1", "labelId": ["95", "66"]}, {"imageId": "2", "labelId": "66"}],
}
VIA: dict[str, Any] = {
    "_via_img_metadata": {
        "1.jpg9": {
            "filename": "1.jpg",
            "size": 9,
            "regions": [{"shape_attributes": {}, "region_attributes": {"damage": "dent", "old": {"yes": True}}}],
            "file_attributes": {"side": "left", "seen": {"wheel": True, "lamp": False}},
        },
        "2.jpg9": {"filename": "2.jpg", "size": 9, "regions": [], "file_attributes": {}},
    }
}


@settings(max_examples=200)
@given(st.one_of(mutations(FGVC), mutations(VIA)))
def test_what_is_wrong_is_read_or_refused_in_one_line(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.json")
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        said = ""
        try:
            table = open_json(path)
            table.read(range(len(table.header)))
        except LacunaError as error:
            said = str(error)
        assert "\n" not in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": [{"imageId": "1"}, {"imageId": "1"}]}, "images: two of them have the same imageId, expected"),
        ({"images": [{"name": "1"}]}, "images: no image_id or imageId or id, there are 'name'"),
        ({"annotations": [{"imageId": None, "labelId": "1"}]}, "annotations item without imageId"),
    ],
)
def test_images_without_a_number_of_their_own_are_refused(tmp_path: Path, change: Any, said: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(FGVC | change), encoding="utf-8")
    with pytest.raises(LacunaError) as caught:
        open_json(path)
    assert said in str(caught.value)
