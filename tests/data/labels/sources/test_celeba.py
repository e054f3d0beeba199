"""CelebA's list of attributes, and the parts beside it."""

from pathlib import Path

import pytest

from lacuna.data.labels.sources.celeba import read_celeba
from tests.label_sources import cells, read_with, refusal, words_of

CELEBA = "3\nBald Big_Nose \n1.jpg -1  1\n2.jpg  1 -1\n3.jpg -1 -1\n"


def write(folder: Path, content: str | bytes, name: str = "Anno/list_attr_celeba.txt") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_one_is_present_and_minus_one_absent(tmp_path: Path) -> None:
    found = read_with(read_celeba, write(tmp_path, CELEBA))
    assert found.targets == {"Bald": "binary", "Big_Nose": "binary"}
    assert cells(found) == {"Bald": ["absent", "present", "absent"], "Big_Nose": ["present", "absent", "absent"]}
    assert found.line.tolist() == [3, 4, 5]
    assert found.split.words == ("",)
    assert "'Bald: 1 / 2', 'Big_Nose: 1 / 2'" in found.notes[0]


def test_targets_choose_and_unknown_words_are_gaps(tmp_path: Path) -> None:
    path = write(tmp_path, CELEBA.replace("3.jpg -1 -1", "3.jpg -1 0"))
    assert ":5: '0' is no attribute's value, expected -1 or 1" in refusal(read_celeba, path)
    found = read_with(read_celeba, path, targets={"Big_Nose": "binary"}, unknown=("0",))
    assert cells(found) == {"Big_Nose": ["present", "absent", ""]}
    assert "no 'Nose' (data.targets); there are 'Bald'" in refusal(
        read_celeba, path, targets={"Nose": "binary"}, unknown=("0",)
    )


@pytest.mark.parametrize("place", ["Anno", "Eval"])
def test_the_parts_beside_it_are_the_split(tmp_path: Path, place: str) -> None:
    partition = write(tmp_path, "1.jpg 0\n2.jpg 2\n", f"{place}/list_eval_partition.txt")
    path = write(tmp_path, CELEBA)
    found = read_with(read_celeba, path)
    assert words_of(found.split) == ["train", "test", ""]
    assert "1 image is in no part by list_eval_partition.txt and dealt by Lacuna" in found.notes
    partition.write_text("1.jpg 0\n1.jpg 1\n")
    assert "list_eval_partition.txt:2: the image '1.jpg' is in another part above" in refusal(read_celeba, path)
    partition.write_text("1.jpg 0\n2.jpg 3\n")
    assert "list_eval_partition.txt:2: expected an image and 0, 1 or 2" in refusal(read_celeba, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty, expected CelebA's list"),
        ("image_id,Bald\n1.jpg,-1\n", ":1: this is text that begins with 'image_id,Bald', expected CelebA's list"),
        ("[1]", ":1: this is a JSON array"),
        (CELEBA.replace("2.jpg  1 -1\n", ""), "2 rows, its first line says 3; is the file cut off?"),
        (CELEBA[:-4], ":5: 1 attributes, expected 2; is the file cut off?"),
        (CELEBA.replace("  1\n", "  yes\n"), ":3: 'yes' is no attribute's value"),
        (CELEBA.replace("Big_Nose", "Bald"), ":2: expected the attributes' names, each once"),
        ("3\n", ":2: expected the attributes' names"),
        (CELEBA.replace("2.jpg", "\u00fc.jpg").encode("latin-1"), ":4: not UTF-8 text"),
        ("3\n" + "x" * (17 << 20), ":2: a line of more than"),
    ],
    ids=lambda value: str(value[:30]),
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(read_celeba, write(tmp_path, content))


def test_lists_of_deepfashion_are_refused_with_a_way_out(tmp_path: Path) -> None:
    path = write(tmp_path, "1\nimage_name  attribute_labels\nimg/1.jpg  1 -1\n", "list_attr_img.txt")
    said = refusal(read_celeba, path)
    assert "list_attr_img.txt:2: a list of DeepFashion, which is not read; make a CSV of it: pandas.read_csv(" in said
