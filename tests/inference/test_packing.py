import hashlib
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from lacuna.cli import main
from lacuna.errors import LacunaError
from lacuna.inference import packing
from lacuna.inference.bundle import bundle_files
from lacuna.inference.packing import pack_bundle, unpack_bundle
from lacuna.inference.predictor import Predictor
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("packing") / "bundle")


@pytest.fixture(scope="module")
def archive(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "bundle.zip"
    pack_bundle(original, path)
    return path


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "bundle")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def members(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as source:
        return {name: source.read(name) for name in source.namelist()}


def write_zip(path: Path, files, compression=zipfile.ZIP_STORED) -> Path:
    """A zip of (name or ZipInfo, content) pairs, as anybody could make one."""
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, content in files:
            target.writestr(name, content)
    return path


def refused(archive: Path, tmp_path: Path) -> str:
    """Assert that `archive` is refused in one line with its name, and that nothing is left of it."""
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(LacunaError) as caught:
        unpack_bundle(archive, place / "bundle")
    assert list(place.iterdir()) == []
    said = str(caught.value)
    assert said.startswith(f"{archive}: ")
    assert "\n" not in said
    return said.removeprefix(f"{archive}: ")


def test_every_file_of_a_bundle_is_one_that_bundle_files_names(original):
    assert set(bundle_files(original)) | {"bundle.json"} == set(contents(original))


def test_a_bundle_comes_back_as_it_was_and_predicts(original, archive, tmp_path):
    unpack_bundle(archive, tmp_path / "deep" / "bundle")
    assert contents(tmp_path / "deep" / "bundle") == contents(original)
    (red,) = Predictor.load(tmp_path / "deep" / "bundle").predict([b"P6 1 1 255\n\xff\x00\x00"])
    assert red.targets["red"].decision == "present"


def test_the_same_bundle_gives_the_same_bytes_whenever_and_wherever_it_is_packed(folder, archive, tmp_path):
    for path in folder.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
        path.chmod(0o600)
    pack_bundle(folder, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_an_ensemble_is_packed_with_its_members(original, tmp_path):
    content = json.loads((original / "bundle.json").read_text())
    network = content["networks"][0]
    content["networks"] = [{**network, "folder": "1"}, {**network, "folder": "2"}]
    ensemble = tmp_path / "ensemble"
    for place in ("1", "2"):
        (ensemble / place).mkdir(parents=True)
        for name in network["files"]:
            shutil.copy(original / name, ensemble / place)
    for name in content["predictions"]:
        shutil.copy(original / name, ensemble)
    (ensemble / "bundle.json").write_text(json.dumps(content))
    pack_bundle(ensemble, tmp_path / "ensemble.zip")
    unpack_bundle(tmp_path / "ensemble.zip", tmp_path / "again")
    assert contents(tmp_path / "again") == contents(ensemble)
    assert "2/model.onnx" in contents(tmp_path / "again")


def test_what_is_no_part_of_the_bundle_stays_behind(folder, archive, tmp_path):
    (folder / "secrets.txt").write_text("mine")
    pack_bundle(folder, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("name", ["model.xml", "model.bin", "model.onnx", "head.npz", "validation.npz", "test.npz"])
def test_a_damaged_bundle_is_not_packed(folder, tmp_path, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-1] + b"\x01")
    with pytest.raises(LacunaError, match=f"{name}: not the file that bundle.json was written for"):
        pack_bundle(folder, tmp_path / "bundle.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/b/evil", "..\\evil", "C:evil", "1/../../evil", "", "1//evil", ".hidden", "grün"]
)
def test_names_that_are_no_place_in_a_bundle_are_refused(archive, tmp_path, name):
    evil = write_zip(tmp_path / "evil.zip", [*members(archive).items(), (name or "/", b"evil")])
    assert refused(evil, tmp_path).endswith("which is no file of a bundle")


def test_links_and_folders_are_refused(archive, tmp_path):
    for mode in (stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO):
        entry = zipfile.ZipInfo("model.bin")
        entry.create_system, entry.external_attr = 3, (mode | 0o777) << 16
        others = [item for item in members(archive).items() if item[0] != "model.bin"]
        (tmp_path / str(mode)).mkdir()
        evil = write_zip(tmp_path / str(mode) / "evil.zip", [*others, (entry, b"/etc/passwd")])
        assert refused(evil, tmp_path / str(mode)) == "holds 'model.bin', which is no file of a bundle"


def test_a_name_that_comes_twice_is_refused(archive, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        evil = write_zip(tmp_path / "evil.zip", [*members(archive).items(), ("model.bin", b"another")])
    assert refused(evil, tmp_path).startswith("holds two files of one name")


def test_a_file_that_the_description_does_not_name_is_refused_and_so_is_a_missing_one(archive, tmp_path):
    more = write_zip(tmp_path / "more.zip", [*members(archive).items(), ("int8.bin", b"")])
    assert refused(more, tmp_path).startswith("holds int8.bin, which its bundle.json does not name")
    (tmp_path / "place").rmdir()
    less = write_zip(tmp_path / "less.zip", [item for item in members(archive).items() if item[0] != "test.npz"])
    assert refused(less, tmp_path).startswith("test.npz is missing")
    (tmp_path / "place").rmdir()
    none = write_zip(tmp_path / "none.zip", [item for item in members(archive).items() if item[0] != "bundle.json"])
    assert refused(none, tmp_path).startswith("no bundle.json")


def test_another_content_than_the_description_was_written_for_is_refused(archive, tmp_path):
    changed = {**members(archive), "test.npz": b"other"}
    evil = write_zip(tmp_path / "evil.zip", changed.items())
    assert refused(evil, tmp_path).startswith("test.npz: not the file that bundle.json was written for")


def test_a_description_cannot_name_files_outside(archive, tmp_path):
    files = members(archive)
    content = json.loads(files["bundle.json"])
    content["networks"][0]["files"]["../evil"] = hashlib.sha256(b"").hexdigest()
    evil = write_zip(tmp_path / "evil.zip", {**files, "bundle.json": json.dumps(content)}.items())
    assert refused(evil, tmp_path).startswith("bundle.json: damaged, names a file '../evil'")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(archive, tmp_path):
    zeros = {**members(archive), "model.bin": bytes(30_000_000)}
    bomb = write_zip(tmp_path / "bomb.zip", zeros.items(), zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 100_000
    assert "is compressed or encrypted" in refused(bomb, tmp_path)


def central(archive: Path, name: str) -> int:
    """Where the archive's table of contents begins with the entry `name`."""
    with zipfile.ZipFile(archive) as opened:
        return archive.read_bytes().index(name.encode(), opened.start_dir) - 46


def test_entries_that_share_their_bytes_cannot_make_more_of_an_archive_than_it_is(archive, tmp_path):
    """As in David Fifield's bomb: every name points at the same place."""
    names = ["bundle.json", *(f"{number}/model.bin" for number in range(9))]
    evil = write_zip(tmp_path / "evil.zip", [(name, bytes(1000) if name == "0/model.bin" else b"") for name in names])
    content = bytearray(evil.read_bytes())
    (size, offset) = (slice(16, 28), slice(42, 46))  # checksum and both sizes; where the file begins
    first = central(evil, "0/model.bin")
    for name in names[2:]:
        place = central(evil, name)
        for part in (size, offset):
            content[place + part.start : place + part.stop] = content[first + part.start : first + part.stop]
    evil.write_bytes(content)
    assert refused(evil, tmp_path).startswith("unpacks to more than its own size")


@pytest.mark.parametrize(
    ("declared", "reason"), [(10, "no zip archive, or a damaged one"), (2_000_000, "unpacks to more than its own size")]
)
def test_a_declared_size_that_is_not_the_real_one_is_refused(archive, tmp_path, declared, reason):
    evil = tmp_path / "evil.zip"
    content = bytearray(archive.read_bytes())
    place = central(archive, "test.npz")
    content[place + 20 : place + 28] = declared.to_bytes(4, "little") * 2
    evil.write_bytes(content)
    assert refused(evil, tmp_path).startswith(reason)


def test_sizes_beyond_those_of_a_bundle_are_refused(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAX_MODEL_BYTES", 1000)
    assert "expected at most 1000 bytes" in refused(archive, tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 100])
def test_what_is_no_archive_is_named(tmp_path, content):
    (tmp_path / "file.zip").write_bytes(content)
    assert refused(tmp_path / "file.zip", tmp_path).startswith("no zip archive, or a damaged one")


def test_a_cut_off_or_changed_archive_is_refused(archive, tmp_path):
    content = archive.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for number, damaged in enumerate((content[:middle], changed)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file.zip").write_bytes(damaged)
        refused(tmp_path / str(number) / "file.zip", tmp_path / str(number))


def test_only_a_bundle_is_replaced(original, archive, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("mine")
    with pytest.raises(LacunaError, match="holds other files than a bundle's"):
        unpack_bundle(archive, home)
    assert contents(home) == {"thesis.txt": b"mine"}
    old = shutil.copytree(original, tmp_path / "old")
    (old / "model.bin").write_bytes(b"an old one")
    unpack_bundle(archive, old)
    assert contents(old) == contents(original)
    (old / "thesis.txt").write_text("mine")
    with pytest.raises(LacunaError, match="holds other files than a bundle's"):
        unpack_bundle(archive, old)
    with pytest.raises(LacunaError, match="expected a folder"):
        unpack_bundle(archive, old / "thesis.txt")


def test_a_bundle_of_another_format_is_not_replaced_and_the_error_says_what_to_do(original, archive, tmp_path):
    old = shutil.copytree(original, tmp_path / "old")
    description = (old / "bundle.json").read_text().replace('"format_version": 5', '"format_version": 4')
    (old / "bundle.json").write_text(description)
    with pytest.raises(LacunaError, match=r"old: delete it or name another folder, .*bundle of format 4") as caught:
        unpack_bundle(archive, old)
    assert "\n" not in str(caught.value)
    assert (old / "bundle.json").read_text() == description


def test_a_refused_archive_leaves_the_bundle_that_is_there(original, archive, tmp_path):
    there = shutil.copytree(original, tmp_path / "bundle")
    evil = write_zip(tmp_path / "evil.zip", {**members(archive), "test.npz": b"other"}.items())
    with pytest.raises(LacunaError):
        unpack_bundle(evil, there)
    assert contents(there) == contents(original)


def test_both_commands_say_what_they_made(folder, archive, tmp_path, capsys):
    assert main(["pack", str(folder)]) == 0
    made = tmp_path / "bundle.zip"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{os.path.relpath(made)}: {archive.stat().st_size} bytes, SHA-256 {digest}\n"
    assert main(["unpack", str(made), "--to", str(tmp_path / "copy")]) == 0
    assert contents(tmp_path / "copy") == contents(folder)
    assert main(["unpack", str(tmp_path / "none.zip"), "--to", str(tmp_path / "copy")]) == 1
    assert "none.zip: no such file" in capsys.readouterr().err


def test_an_archive_is_named_after_the_whole_name_of_its_folder(original, tmp_path, monkeypatch, capsys):
    for name in ("model.v1", "model.v2"):
        shutil.copytree(original, tmp_path / name)
        assert main(["pack", str(tmp_path / name)]) == 0
    assert {path.name for path in tmp_path.glob("*.zip")} == {"model.v1.zip", "model.v2.zip"}
    monkeypatch.chdir(tmp_path / "model.v1")
    capsys.readouterr()
    assert main(["pack", "."]) == 0
    assert capsys.readouterr().out.startswith("../model.v1.zip: ")
