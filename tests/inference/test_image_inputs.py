import io

import pytest

from lacuna.errors import LacunaError
from lacuna.inference.image_inputs import count_images, find_images


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a/z.JPG", "a/y.webp", "c/only.txt", ".hidden.png", ".cache/x.png", "a/notes.md"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def names(*arguments, **options):
    return [path.as_posix() for path in find_images(arguments, **options)]


def test_a_folder_is_walked_in_order_without_what_is_hidden_or_no_image(photos):
    assert names("photos") == ["photos/a/y.webp", "photos/a/z.JPG", "photos/b.png"]
    assert count_images(["photos", "photos/b.png"]) == 4


def test_a_folder_that_links_to_itself_ends(photos):
    (photos / "a" / "again").symlink_to(photos, target_is_directory=True)
    assert len(names("photos")) == 3


def test_a_pattern_in_quotes_is_matched_here(photos):
    assert names("photos/**/*.JPG", "photos/?.png") == ["photos/a/z.JPG", "photos/b.png"]
    (photos / "list.csv").write_text("image\nb.png\n")
    assert names("photos/*.csv") == ["photos/list.csv"]  # what a pattern finds is taken for images
    (photos / "[1].png").touch()  # a name, though it looks like a pattern
    assert names("photos/[1].png") == ["photos/[1].png"]


def test_an_image_that_is_not_there_is_left_for_the_decoder_to_name(photos):
    assert names("photos/missing.png") == ["photos/missing.png"]


def test_a_csv_file_lists_paths_beside_it(photos):
    (photos / "list.csv").write_text('\ufefflabel,image\n1,"a/z.JPG"\n\n0,b.png\n1,\n', encoding="utf-8")
    assert names("photos/list.csv") == ["photos/a/z.JPG", "photos/b.png"]
    (photos / "ids.csv").write_text("id,where\n7,/elsewhere/b.png\n")
    assert names("photos/ids.csv", column="where") == ["/elsewhere/b.png"]


def test_marks_before_the_first_line_are_none_of_it(photos, monkeypatch):
    (photos / "list.csv").write_text('\ufeff\ufeff"image"\nb.png\n', encoding="utf-8")
    assert names("photos/list.csv") == ["photos/b.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\ufeff\ufeffphotos/b.png\n\ufeff\n"))
    assert names("-") == ["photos/b.png", "\ufeff"]


def test_standard_input_is_a_path_per_line_of_unknown_number(photos, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("photos/b.png\n\nphotos/with space.png \n"))
    assert count_images(["-"]) is None
    assert names("-") == ["photos/b.png", "photos/with space.png"]


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        (b"a,b\n1,2\n", None, "expected a column image or path or file or filename, received a, b; name the column"),
        (b"image\nx.png\n", "photo", "expected a column photo, received image"),
        (b"", None, "received an empty file"),
        (b"image\n", None, "no path in this file"),
        ("image\nß.png\n".encode("latin-1"), None, "not a CSV file in UTF-8"),
    ],
)
def test_a_csv_file_without_paths_is_a_mistake(tmp_path, content, column, message):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(LacunaError, match=message) as caught:
        list(find_images([str(path)], column))
    assert str(path) in str(caught.value)


def test_a_folder_or_a_pattern_without_images_is_a_mistake(photos):
    with pytest.raises(LacunaError, match="photos/c: no image in this folder"):
        names("photos/c")
    with pytest.raises(LacunaError, match=r"photos/\*\.gif: no file matches this pattern"):
        names("photos/*.gif")
