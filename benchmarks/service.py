"""The service under load beside twenty lines of FastAPI around the same network: images/s, latencies, processor time.

python -m benchmarks service            clients and services share the cores; four minutes on 2 cores
"""

import http.client
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image

from benchmarks.hostile_uploads import END, FORM, part
from benchmarks.project import machine
from benchmarks.service_process import running_service

CLIENTS = (1, 8, 32)
REPEATS = 5
WARM_UP_S, SECONDS = 1.0, 6.0


class Load(NamedTuple):
    """What a service did: images per second, median and 99th percentile of the latency and processor time of the
    service per image, both in ms."""

    rate: float
    p50: float
    p99: float
    processor: float


def photo() -> bytes:
    """A JPEG of 640 x 480 pixels with the detail of a photo, 60 kB."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
    noisy = np.asarray(coarse).astype(int) + rng.normal(0, 6, (480, 640, 3)).astype(int)
    file = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def load(port: int, process: int, n_clients: int) -> Load:
    """Load a service by clients that ask without pause; process: its number."""
    body = part(photo()) + END
    begin = time.perf_counter() + WARM_UP_S
    end = begin + SECONDS
    taken: list[float] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while (start := time.perf_counter()) < end:
            connection.request("POST", "/predict", body, FORM)
            answer = connection.getresponse()
            json.loads(answer.read())
            if answer.status != 200:
                raise RuntimeError(f"the service answered {answer.status}")
            if begin <= (now := time.perf_counter()) < end:
                taken.append(now - start)
        connection.close()

    clients = [threading.Thread(target=ask) for _ in range(n_clients)]
    for client in clients:
        client.start()
    time.sleep(begin - time.perf_counter())
    before = _processor_seconds(process)
    time.sleep(end - time.perf_counter())
    spent = _processor_seconds(process) - before  # without the requests that are still under way
    for client in clients:
        client.join()
    p50, p99 = np.percentile(taken, [50, 99]) * 1000
    return Load(len(taken) / SECONDS, float(p50), float(p99), 1000 * spent / len(taken))


def _processor_seconds(process: int) -> float:
    found = psutil.Process(process)
    return sum(sum(one.cpu_times()[:2]) for one in (found, *found.children(recursive=True)))


@contextmanager
def _plain(bundle: Path) -> Iterator[tuple[int, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("plain_service.py")), bundle, str(port)])
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)) and process.poll() is None:
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def service(bundle: Path) -> None:
    """Print a Markdown table: medians of alternating runs."""
    found: dict[tuple[int, str], list[Load]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder), "--bundle", bundle) as running,
        _plain(bundle) as plain,
    ):
        places = {"Lacuna": (running.port, running.process.pid), "20 lines": plain}
        for _ in range(REPEATS):
            for n_clients in CLIENTS:
                for name, (port, process) in places.items():
                    found.setdefault((n_clients, name), []).append(load(port, process, n_clients))
    print(f"Services and clients on one machine, {machine()}; JPEG of 640 x 480; medians of {REPEATS} runs in turns\n")
    print("| clients | service | images/s | p50, ms | p99, ms | processor, ms an image |\n|---|---|---|---|---|---|")
    for (n_clients, name), loads in found.items():
        rate, p50, p99, processor = np.median(loads, axis=0)
        print(f"| {n_clients} | {name} | {rate:.0f} | {p50:.0f} | {p99:.0f} | {processor:.1f} |")
