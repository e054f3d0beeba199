"""What hostile uploads get from a running service, and what they do to its memory.

python -m benchmarks hostile            1,000 of them: some three minutes on 2 cores
"""

import tempfile
import threading
from collections import Counter
from pathlib import Path

from benchmarks.hostile_uploads import hostile_uploads
from benchmarks.project import machine
from benchmarks.service_process import running_service


class PeakMemory:
    """The largest anonymous memory of a process in MiB, looked at 50 times a second."""

    def __init__(self, pid: int) -> None:
        self._status, self._ended = Path(f"/proc/{pid}/status"), threading.Event()
        self.start = self.peak = self._now()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, self._now())

    def _now(self) -> float:
        lines = self._status.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def hostile(bundle: Path, n: int = 1000) -> None:
    """Print a Markdown table of answers by kind, and the peak memory of each quarter of the uploads."""
    answers: dict[str, Counter[int]] = {}
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder), "--bundle", bundle) as service:
        memory = PeakMemory(service.process.pid)
        peaks = [memory.start]
        with service.client() as client:
            for place, upload in enumerate(hostile_uploads(n), 1):
                answer = client.post(upload.path, content=upload.body(), headers=upload.headers)
                answers.setdefault(upload.kind.partition(" ")[0], Counter())[answer.status_code] += 1
                if place % (n // 4) == 0:
                    peaks.append(memory.peak)
            alive = client.get("/health").status_code == 200
        memory.end()
    statuses = sorted({status for counts in answers.values() for status in counts})
    print(f"{n:,} hostile uploads, {machine()}; the service {'lives' if alive else 'IS DEAD'}\n")
    print(f"| kind | {' | '.join(map(str, statuses))} |\n|---|{'---|' * len(statuses)}")
    for kind, counts in answers.items():
        print(f"| {kind} | {' | '.join(str(counts[status] or '') for status in statuses)} |")
    quarters = ", ".join(f"{peak:.0f}" for peak in peaks)
    print(f"\nPeak anonymous memory in MiB at the start and after each quarter: {quarters}")
