"""One image from the web: redirects, further tries, and going on with what came before."""

import contextlib
import re
import time
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO

from lacuna.data.downloads.fetched_files import PartialFile
from lacuna.data.downloads.host_pace import HostPace
from lacuna.data.downloads.http_get import HttpAnswer, Requests
from lacuna.data.downloads.image_type import find_suffix
from lacuna.data.downloads.limits import MOST_REDIRECTS, MOST_WAIT, TRIES, Allowance, DownloadLimits
from lacuna.data.downloads.outcome import BusyError, DownloadFailedError, TryAgainError
from lacuna.data.downloads.web_address import WebAddress, parse_url
from lacuna.data.images.formats import MARK_BYTES

REDIRECTS = (301, 302, 303, 307, 308)
BUSY, BROKEN = (429, 503), (502, 504)


@dataclass(frozen=True)
class Downloader:
    """What all downloads of a command share."""

    limits: DownloadLimits
    requests: Requests
    pace: HostPace
    allowance: Allowance

    def download(self, url: str, partial: PartialFile) -> str:
        """Bring the whole image into `partial.content` and return the suffix of what it is.

        Raises DownloadFailedError with the reason, StoppedError, and OSError when it cannot be written. What came of a
        file that was cut off stays, for the next command.
        """
        first = parse_url(url)
        for number in range(TRIES):
            try:
                return self._try(first, partial)
            except TryAgainError as again:
                asked = again.wait if isinstance(again, BusyError) else 0.0
                if number == TRIES - 1 or asked > MOST_WAIT:
                    self.pace.note(first.host, answered=False)
                    said = f"; it asks to wait {asked:.0f} s" if asked > MOST_WAIT else ""
                    raise DownloadFailedError(f"{again}{said}") from None
                seconds = max(asked, self.limits.first_wait * 2**number)
                if isinstance(again, BusyError):
                    self.pace.pause(first.host, seconds)
                else:
                    self.pace.rest(seconds)
        raise AssertionError("the last try returns or raises")

    def _try(self, address: WebAddress, partial: PartialFile) -> str:
        self.allowance.take(0)
        n_bytes, version = partial.resume()
        headers = {"Range": f"bytes={n_bytes}-", "If-Range": version} if n_bytes else {}
        for _ in range(MOST_REDIRECTS + 1):
            self.pace.wait(address.host)
            with self.requests.get(address, headers) as answer:
                location = answer.headers.get("Location", "")
                if answer.status not in REDIRECTS or not location:
                    return self._receive(answer, partial, n_bytes, address)
            address = address.follow(location)
        raise DownloadFailedError(f"more than {MOST_REDIRECTS} redirects")

    def _receive(self, answer: HttpAnswer, partial: PartialFile, n_before: int, address: WebAddress) -> str:
        if answer.status in BUSY:
            raise BusyError(answer.said, _asked_wait(answer.headers))
        if answer.status in BROKEN:
            raise TryAgainError(answer.said)
        if n_before and (answer.status == 416 or (answer.status == 206 and _first_byte(answer) != n_before)):
            partial.discard()
            raise TryAgainError("another part of the file than was asked for")
        self.pace.note(address.host, answered=True)
        if answer.status != 200 and not (n_before and answer.status == 206):
            raise DownloadFailedError(answer.said)
        if coding := answer.headers.get("Content-Encoding", "identity").strip().lower().removeprefix("identity"):
            raise DownloadFailedError(f"packed ({coding[:20]}), which was not asked for")
        if answer.status == 200:
            n_before = 0
            partial.begin(_version(answer.headers))
        url_suffix = "." + address.target.partition("?")[0].rpartition(".")[2].lower()
        try:
            with open(partial.content, "ab") as file:
                return self._copy(answer, file, n_before, partial, url_suffix)
        except _UselessError as error:
            partial.discard()
            raise DownloadFailedError(str(error)) from None

    def _copy(self, answer: HttpAnswer, file: IO[bytes], n_before: int, partial: PartialFile, url_suffix: str) -> str:
        content_type = answer.headers.get("Content-Type", "")
        start, suffix, n_bytes = b"", "", n_before
        if n_before:
            with open(partial.content, "rb") as before:
                start = before.read(MARK_BYTES)
        if answer.length is not None and n_before + answer.length > self.limits.most_bytes:
            raise _UselessError(self._too_large())
        while block := answer.read():
            n_bytes += len(block)
            if n_bytes > self.limits.most_bytes:
                raise _UselessError(self._too_large())
            start += block[: MARK_BYTES - len(start)]
            if not suffix and len(start) == MARK_BYTES:
                suffix = _suffix_or_useless(start, url_suffix, content_type)
            self.allowance.take(len(block))
            file.write(block)
        if answer.length is not None and n_bytes < n_before + answer.length:
            raise TryAgainError("cut off before its end")
        if not n_bytes:
            raise _UselessError("an empty file")
        return suffix or _suffix_or_useless(start, url_suffix, content_type)

    def _too_large(self) -> str:
        return f"larger than {self.limits.max_mb:g} MB (--max-mb)"


class _UselessError(Exception):
    """What came is no use, in part either."""


def _suffix_or_useless(start: bytes, url_suffix: str, content_type: str) -> str:
    suffix, instead = find_suffix(start, url_suffix, content_type)
    if instead:
        raise _UselessError(instead)
    return suffix


def _version(headers: Message) -> str:
    """What tells this version of the file from others to the byte; "" where the server says nothing of the kind."""
    etag = headers.get("ETag", "").strip()
    version = etag if etag.startswith('"') else headers.get("Last-Modified", "").strip()
    return version if version.isascii() and version.isprintable() else ""


def _first_byte(answer: HttpAnswer) -> int:
    found = re.match(r"bytes (\d{1,18})-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _asked_wait(headers: Message) -> float:
    """The seconds of Retry-After, which are given as such or as a date; 0 where nothing is asked."""
    said = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", said):
        return float(said)
    with contextlib.suppress(ValueError, TypeError):
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    return 0.0
