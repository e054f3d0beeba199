"""Images from the web, by the URLs of a text or table, into a folder where `data.source: table` finds them.

python -m lacuna fetch urls FILE [--column NAME] [--to DIR]
"""

import contextlib
import shlex
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from pathlib import Path

from lacuna.config.data import Data
from lacuna.data.downloads.download import Downloader
from lacuna.data.downloads.fetched_files import FetchedFiles
from lacuna.data.downloads.file_names import Destination, plan_destinations
from lacuna.data.downloads.host_pace import HostPace
from lacuna.data.downloads.http_get import Requests
from lacuna.data.downloads.limits import Allowance, DownloadLimits
from lacuna.data.downloads.outcome import DownloadFailedError
from lacuna.data.downloads.url_list import read_urls
from lacuna.data.downloads.web_address import parse_url
from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_file
from lacuna.io.names import first_few, shortened
from lacuna.io.plurals import number_of
from lacuna.io.progress import progress
from lacuna.io.spreadsheets import write_sheet

FAILED_FILE = "failed.csv"
FAILED_HEADER = ("url", "reason")


@dataclass(frozen=True)
class Fetched:
    """What became of the URLs. `failed`: the reasons, by URL, in their order. `unknown`: names of images that were
    there, not fetched by this command, but called as if."""

    n_came: int
    n_there: int
    failed: dict[str, str]
    unknown: list[str]


def fetch_listed(file: Path, column: str, to: Path, data: Data, limits: DownloadLimits) -> int:
    """Download the images that the URLs in `file` name into the folder `to`; print what came and what failed, and why.

    column, data: as `read_urls` takes them. Those that fail are listed in `failed.csv` in the folder. Returns 1 when
    any did, else 0. Raises LacunaError when the file holds no URLs or the folder cannot be used, and OSError when
    nothing can be written.
    """
    listed = read_urls(file, column, data)
    if listed.column and not column:
        print(f"{file}: column {shortened(listed.column)} holds the URLs")
    if listed.n_malformed:
        lost = number_of(listed.n_malformed, "line is no row", "lines are no rows")
        print(f"warning: {lost}, the first is {listed.flaw}", file=sys.stderr)
    if proxies := sorted(set(urllib.request.getproxies_environment()) & {"http", "https", "all"}):
        print(f"warning: {proxies[0]}_proxy is set, but fetch urls uses no proxies", file=sys.stderr)
    fetched = fetch_images(listed.urls, to, limits)
    print("\n".join(_describe(fetched, to)))
    if listed.column and fetched.n_came + fetched.n_there:
        print(f"next: {shlex.join(['python', '-m', 'lacuna', 'init', str(to), '--labels', str(file)])}")
    return 1 if fetched.failed else 0


def fetch_images(urls: Sequence[str], to: Path, limits: DownloadLimits) -> Fetched:
    """Download the images of distinct URLs into the folder `to`, and list there those that failed.

    Images that are there are not asked for again, and those that came in part are gone on with. Raises LacunaError and
    OSError as `fetch_listed` does.
    """
    failed: dict[str, str] = {}
    for url in urls:
        try:
            parse_url(url)
        except DownloadFailedError as error:
            failed[url] = str(error)
    with FetchedFiles.hold(to) as files:
        _check_list_of_failures(to / FAILED_FILE)
        planned = plan_destinations([url for url in urls if url not in failed], files.names, files.origins)
        missing = [destination for destination in planned if not destination.there]
        there = [destination.there for destination in planned if destination.there]
        failed_now = _download_all(_in_turns(missing), files, limits)
        failed = {url: reason for url in urls if (reason := failed.get(url) or failed_now.get(url))}
        _write_failures(to / FAILED_FILE, failed)
        unknown = [name for name in there if name not in files.origins]
    return Fetched(len(missing) - len(failed_now), len(there), failed, unknown)


def _download_all(missing: list[Destination], files: FetchedFiles, limits: DownloadLimits) -> dict[str, str]:
    """Download what is missing, some at a time; return the reasons of the URLs that failed."""
    stop = threading.Event()
    downloader = Downloader(limits, Requests(limits, stop), HostPace(limits.rate, stop.wait), Allowance(limits))
    placing = threading.Lock()

    def fetch(destination: Destination) -> tuple[str, str]:
        partial = files.partial(destination.url)
        try:
            suffix = downloader.download(destination.url, partial)
            with placing:
                files.put(partial, destination, suffix)
        except DownloadFailedError as error:
            return destination.url, str(error)
        return destination.url, ""

    with contextlib.closing(_in_threads(fetch, missing, limits.parallel, stop)) as outcomes:
        counted = progress(outcomes, total=len(missing), what="fetching", unit="images")
        return {url: reason for url, reason in counted if reason}


def _in_turns(destinations: Sequence[Destination]) -> list[Destination]:
    """One of each host, then another of each: a host that must be waited for does not hold up the others."""
    n_before: Counter[str] = Counter()
    turns = []
    for destination in destinations:
        host = parse_url(destination.url).host
        turns.append((n_before[host], destination))
        n_before[host] += 1
    return [destination for _, destination in sorted(turns, key=lambda turn: turn[0])]


def _in_threads(
    work: Callable[[Destination], tuple[str, str]], items: Iterable[Destination], n_threads: int, stop: threading.Event
) -> Generator[tuple[str, str], None, None]:
    """Yield what `work` returns, as it ends; of a long list, a few are waiting at a time. An error stops all."""
    pool = ThreadPoolExecutor(n_threads)
    pending: set[Future[tuple[str, str]]] = set()
    try:
        for item in items:
            pending.add(pool.submit(work, item))
            if len(pending) >= 4 * n_threads:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in as_completed(pending))
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _check_list_of_failures(path: Path) -> None:
    if path.exists():
        with open(path, encoding="utf-8", errors="replace") as file:
            if file.readline(100).strip() != ",".join(FAILED_HEADER):
                raise LacunaError(f"{path}: not a list of failures that fetch wrote; move it, or name another --to")


def _write_failures(path: Path, failed: dict[str, str]) -> None:
    if not failed:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as partial:
        write_sheet(partial, FAILED_HEADER, failed.items())


def _describe(fetched: Fetched, to: Path) -> Iterator[str]:
    yield f"{to}: {fetched.n_came} came, {fetched.n_there} were there, {len(fetched.failed)} failed"
    if fetched.unknown:
        yield f"{len(fetched.unknown)} of them came from elsewhere, and are called so: {first_few(fetched.unknown)}"
    by_reason: dict[str, list[str]] = {}
    for url, reason in fetched.failed.items():
        by_reason.setdefault(reason, []).append(url)
    for reason, urls in sorted(by_reason.items(), key=lambda one: -len(one[1])):
        yield f"failed: {len(urls)}: {reason}; the first is {shortened(urls[0], 200)}"
    if fetched.failed:
        yield f"{to / FAILED_FILE} lists what failed; the same command tries it again"
