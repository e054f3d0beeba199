"""What can be shown of images that ingest rejected."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from lacuna.analysis.explore.rejected import peek


def test_of_a_truncated_picture_what_comes_before_the_cut(tmp_path: Path) -> None:
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 120, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(content, "PNG")
    path = tmp_path / "cut.png"
    path.write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    seen = peek(path, 32, 10**6)
    assert seen is not None
    assert seen.shape == (32, 32, 3)
    assert seen[:10].mean() > 30
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_too_many_pixels_are_seen_where_that_is_cheap(tmp_path: Path) -> None:
    for name in ("large.jpg", "large.png"):
        Image.new("L", (1600, 800), 90).save(tmp_path / name)
    seen = peek(tmp_path / "large.jpg", 40, 100_000)
    assert seen is not None
    assert np.abs(seen[20].astype(int) - 90).max() <= 2
    assert (seen[0] == 255).all()  # padded, not stretched
    assert peek(tmp_path / "large.png", 40, 100_000) is None


def test_grey_of_unknown_range_is_spread_over_all_of_it(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(-3, 9, 64, dtype=np.float32).reshape(8, 8)).save(tmp_path / "float.tif")
    seen = peek(tmp_path / "float.tif", 8, 1000)
    assert seen is not None
    assert (seen[0, 0, 0], seen[7, 7, 0]) == (0, 255)


def test_nothing_is_seen_of_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image at all")
    (tmp_path / "empty.png").write_bytes(b"")
    assert [peek(tmp_path / name, 8, 1000) for name in ("text.jpg", "empty.png", "gone.png")] == [None] * 3
