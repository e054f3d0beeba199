"""How many files this process may hold open."""

import sys


def make_room_for_files(n: int) -> None:
    """Let this process open n files more than it may now, as far as the system lets it.

    A memory map holds its file open, and of a million images features alone lie in a thousand shards, which is what
    many systems allow a process that does not ask for more.
    """
    if sys.platform == "win32":  # knows no such limit
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now != resource.RLIM_INFINITY:
        wanted = now + n if most == resource.RLIM_INFINITY else min(now + n, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
