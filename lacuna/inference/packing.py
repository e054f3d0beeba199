"""A bundle as one file, a zip archive, and back; every file is checked on both ways.

The files are stored without compression: float32 weights deflate to 92 % only, and another version of zlib would give
other bytes. So an archive that unpacks to more than its own size was not made here.
"""

import shutil
import stat
import zipfile
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.inference.bundle import (
    DESCRIPTION_FILE,
    MAX_DESCRIPTION_BYTES,
    MAX_MODEL_BYTES,
    bundle_files,
    check_files,
    is_bundle_path,
)
from lacuna.io.atomic import atomic_file, atomic_folder

LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time that an archive can state."""

UNIX = 3
"""The code of the system that an archive was made on, written on every system."""


def pack_bundle(folder: Path, archive: Path) -> None:
    """Write the bundle in `folder` to the file `archive`. The same bundle gives the same bytes.

    What lies in the folder and is no part of the bundle is left out. Raises LacunaError when the bundle is not whole.
    """
    names = [DESCRIPTION_FILE, *sorted(check_files(folder))]
    with atomic_file(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as target:
        for name in names:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.create_system = UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = (folder / name).stat().st_size
            with open(folder / name, "rb") as source, target.open(entry, "w") as place:
                shutil.copyfileobj(source, place)


def unpack_bundle(archive: Path, folder: Path) -> None:
    """Put the bundle in the file `archive` into `folder`, which may be absent, empty, or a bundle that is replaced.

    Nothing changes before everything has been checked. Raises LacunaError when `archive` is anything but a whole bundle
    as `pack_bundle` writes it, or when `folder` holds anything else than a bundle.
    """
    folder = folder.resolve()
    check_replaceable(folder)
    if not archive.is_file():
        raise LacunaError(f"{archive}: no such file; make it by `python -m lacuna pack`")
    with atomic_folder(folder) as partial:
        try:
            with zipfile.ZipFile(archive) as source:
                _unpack(source, archive.stat().st_size, partial)
            check_files(partial)
        except LacunaError as error:
            raise LacunaError(f"{archive}: {str(error).replace(f'{partial}/', '')}") from None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
            raise LacunaError(f"{archive}: no zip archive, or a damaged one ({error}); copy it again") from None


def check_replaceable(folder: Path) -> None:
    """Raise LacunaError when a bundle written to `folder` would overwrite anything but another bundle."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise LacunaError(f"{folder}: expected a folder, or a name that is not in use")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if not there:
        return
    try:
        known = {DESCRIPTION_FILE, *bundle_files(folder)} if DESCRIPTION_FILE in there else set()
    except LacunaError as error:
        raise LacunaError(
            f"{folder}: delete it or name another folder, it cannot be replaced safely: {error}"
        ) from None
    if there - known:
        raise LacunaError(f"{folder}: holds other files than a bundle's, which would be lost; name another folder")


def _unpack(source: zipfile.ZipFile, archive_bytes: int, folder: Path) -> None:
    entries = source.infolist()
    for entry in entries:
        _check_entry(entry)
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise LacunaError("holds two files of one name; make the archive by `python -m lacuna pack`")
    if sum(entry.file_size for entry in entries) > archive_bytes:
        raise LacunaError("unpacks to more than its own size; make the archive by `python -m lacuna pack`")
    if DESCRIPTION_FILE not in names:
        raise LacunaError(f"no {DESCRIPTION_FILE}; expected a bundle packed by `python -m lacuna pack`")
    _extract(source, DESCRIPTION_FILE, folder)
    declared = {DESCRIPTION_FILE, *bundle_files(folder)}
    if unnamed := sorted(set(names) - declared):
        raise LacunaError(f"holds {unnamed[0]}, which its {DESCRIPTION_FILE} does not name; pack the bundle again")
    if missing := sorted(declared - set(names)):
        raise LacunaError(f"{missing[0]} is missing; pack the bundle again")
    for name in sorted(declared - {DESCRIPTION_FILE}):
        _extract(source, name, folder)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """Raise LacunaError when `pack_bundle` would not write such an entry."""
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    limit = MAX_DESCRIPTION_BYTES if name == DESCRIPTION_FILE else MAX_MODEL_BYTES
    if not is_bundle_path(name) or kind not in (0, stat.S_IFREG):
        raise LacunaError(f"holds {name!r}, which is no file of a bundle")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
        raise LacunaError(f"{name} is compressed or encrypted; make the archive by `python -m lacuna pack`")
    if entry.file_size > limit:
        raise LacunaError(f"{name}: expected at most {limit} bytes, received {entry.file_size}")


def _extract(source: zipfile.ZipFile, name: str, folder: Path) -> None:
    """Write one file. zipfile reads no more than the declared size and raises BadZipFile when the checksum differs."""
    place = folder / name
    place.parent.mkdir(exist_ok=True)
    with source.open(name) as file, open(place, "wb") as target:
        shutil.copyfileobj(file, target)
