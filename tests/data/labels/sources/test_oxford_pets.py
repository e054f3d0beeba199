"""The lists of Oxford-IIIT Pets: breed and species, and the official split."""

from pathlib import Path

import pytest

from lacuna.data.labels.sources.oxford_pets import read_oxford_pets
from tests.label_sources import cells, read_with, refusal, words_of

HEAD = "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n"

PETS = HEAD + "Abyssinian_100 1 1 1\namerican_bulldog_7 2 2 1\nAbyssinian_2 1 1 1\n"


def write(folder: Path, content: str | bytes, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_breeds_are_called_by_their_images(tmp_path: Path) -> None:
    found = read_with(read_oxford_pets, write(tmp_path, PETS))
    assert found.targets == {"breed": "categorical", "species": "categorical"}
    assert words_of(found.image) == ["Abyssinian_100", "american_bulldog_7", "Abyssinian_2"]
    assert cells(found) == {"breed": ["Abyssinian", "american bulldog", "Abyssinian"], "species": ["cat", "dog", "cat"]}
    assert found.line.tolist() == [3, 4, 5]
    assert found.split.words == ("",)
    chosen = read_with(read_oxford_pets, tmp_path / "list.txt", targets={"species": "categorical"})
    assert list(chosen.labels) == ["species"]


def test_the_official_lists_are_the_split(tmp_path: Path) -> None:
    path = write(tmp_path, PETS)
    write(tmp_path, "Abyssinian_100 1 1 1\n", "trainval.txt")
    assert read_with(read_oxford_pets, path).split.words == ("",)  # half a split is none
    test = write(tmp_path, "american_bulldog_7 2 2 1\n", "test.txt")
    found = read_with(read_oxford_pets, path)
    assert words_of(found.split) == ["train", "test", ""]
    assert "1 image is in none of trainval.txt, test.txt and dealt by Lacuna" in found.notes
    test.write_text("Abyssinian_100 1 1 1\n")
    assert "test.txt:1: the image 'Abyssinian_100' is in the other part as well" in refusal(read_oxford_pets, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        (HEAD, "no image in it is annotated"),
        ("a.jpg,1,1,1\n", ":1: expected a list of Oxford-IIIT Pets"),
        ("[1]", ":1: expected a list of Oxford-IIIT Pets"),
        (PETS[:-3], ":5: expected a list of Oxford-IIIT Pets"),
        (PETS + "x_1 one 1 1\n", ":6: expected a list of Oxford-IIIT Pets"),
        (PETS + "x_1 3 3 1\n", ":6: species '3', expected 1 (cat) or 2 (dog)"),
        (PETS + "Bengal_1 1 1 1\n", ":6: 'Bengal_1' is of class '1', which is 'Abyssinian' above"),
        (PETS.replace("american", "\u00fc").encode("latin-1"), ":4: not UTF-8 text"),
    ],
    ids=lambda value: str(value[-30:]),
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(read_oxford_pets, write(tmp_path, content))
