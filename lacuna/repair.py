"""Repair what a killed `dvc` can leave behind: a dvc.lock that is empty or cut off, a file of locks that nobody holds.

`make` calls it when `dvc repro` fails, and goes on when something was repaired; `make repair` calls it alone.

    python -m lacuna.repair
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil

from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_file

LOCK_FILE, LOCKS = "dvc.lock", ".dvc/tmp/rwlock"

REPAIRED, FAILED, NOTHING_TO_REPAIR = 0, 1, 3
"""Exit codes; Python itself ends with 1 and 2."""


def repair(root: Path) -> list[str]:
    """Repair the DVC project in `root`; say what was done, a line each. What is whole is left as it is.

    Raises LacunaError when something is broken while a `dvc` is at work there, or when dvc.lock holds a merge conflict.
    """
    if not _repairs(root):
        return []
    with _alone(root):
        return [mend() for mend in _repairs(root)]  # looked at again: a living dvc may just have been writing


def _repairs(root: Path) -> list[Callable[[], str]]:
    needed: list[Callable[[], str]] = []
    if (root / LOCK_FILE).exists() and not _is_whole((root / LOCK_FILE).read_bytes()):
        needed.append(partial(_restore, root))
    if (root / LOCKS).exists() and not _is_in_order(root / LOCKS):
        needed.append(partial(_remove, root))
    return needed


def _is_whole(content: bytes) -> bool:
    """Whether DVC can read `content` as a dvc.lock."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(content.decode()))
    except (Invalid, YAMLError, UnicodeDecodeError):
        return False
    return True


def _restore(root: Path) -> str:
    """Put back the dvc.lock of git's index or else of its last commit; remove the file when neither is whole."""
    path = root / LOCK_FILE
    content = path.read_bytes()
    if any(line.startswith(b"<<<<<<< ") for line in content.splitlines()):
        raise LacunaError(
            f"{LOCK_FILE}: holds a merge conflict; take one side with `git checkout --ours {LOCK_FILE}` (or --theirs), "
            "then run `make` again"
        )
    what = "cut off" if content.strip() else "empty"
    for revision in ("", "HEAD"):
        kept = _in_git(root, f"{revision}:./{LOCK_FILE}")
        if kept is not None and _is_whole(kept):
            with atomic_file(path) as whole:
                whole.write_bytes(kept)
            return f"{LOCK_FILE} was {what}; it is again as in git"
    path.unlink()
    return f"{LOCK_FILE} was {what} and git has none; it is removed, DVC takes what it has from its cache"


def _in_git(root: Path, name: str) -> bytes | None:
    try:
        shown = subprocess.run(["git", "show", name], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return None if shown.returncode else shown.stdout


def _is_in_order(locks: Path) -> bool:
    """Whether DVC can read its file of locks, and those who are in it, if any, may be at work."""
    try:
        content = json.loads(locks.read_bytes())
        writers = list(content.get("write", {}).values())
        readers = [reader for infos in content.get("read", {}).values() for reader in infos]
        pids = {int(info["pid"]) for info in writers + readers}
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return not pids or any(_may_hold(pid, locks.stat().st_mtime) for pid in pids)


def _may_hold(pid: int, written: float) -> bool:
    """Whether process `pid` can be the dvc that wrote an entry at the time `written`.

    A process that began later only has the same number.
    """
    try:
        process = psutil.Process(pid)
        is_at_work = process.status() != psutil.STATUS_ZOMBIE
        return is_at_work and (process.create_time() <= written + 1 or _is_dvc(process.cmdline()))
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _is_dvc(command: list[str]) -> bool:
    """Whether a command is `dvc ...`, `python -m dvc ...` or `python .../dvc/__main__.py ...`."""
    return any("dvc" in (Path(part).name, Path(part).parent.name) for part in command[:3])


def _remove(root: Path) -> str:
    (root / LOCKS).unlink()
    return f"{LOCKS} was broken or left by a dvc that was killed; it is removed"


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold DVC's lock of the project. Raises LacunaError when a `dvc` holds it, or runs a stage without holding it."""
    from dvc.lock import Lock, LockError

    lock = Lock(str(root / ".dvc/tmp/lock"))
    (root / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    try:
        lock.lock()
    except LockError:
        raise LacunaError("a dvc is at work in this project; when it has ended, run `make` again") from None
    try:
        for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
            command, folder = process.info["cmdline"] or [], process.info["cwd"]
            if folder and Path(folder).is_relative_to(root.resolve()) and _is_dvc(command):
                raise LacunaError(
                    f"a dvc is at work in this project (process {process.pid}: {' '.join(command)}); "
                    "when it has ended, run `make` again"
                )
        yield
    finally:
        lock.unlock()


def main(root: Path) -> int:
    try:
        done = repair(root)
    except LacunaError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    for line in done:
        print(line)
    return REPAIRED if done else NOTHING_TO_REPAIR


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
