"""The service under load on this machine, with and without micro-batching: images/s and latencies.

python -m benchmarks service            clients and service share the cores; a minute and a half on 2 cores
"""

import http.client
import io
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.hostile_uploads import END, FORM, part
from benchmarks.project import machine
from benchmarks.service_process import Service, running_service

CLIENTS = (1, 8, 32)
WARM_UP_S, SECONDS = 3.0, 10.0


def photo() -> bytes:
    """A JPEG of 640 x 480 pixels with the detail of a photo, 60 kB."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
    noisy = np.asarray(coarse).astype(int) + rng.normal(0, 6, (480, 640, 3)).astype(int)
    file = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def load(service: Service, n_clients: int) -> tuple[float, float, float]:
    """Images/s, median and 99th percentile of the latency in ms, of clients that ask without pause."""
    body = part(photo()) + END
    begin = time.perf_counter() + WARM_UP_S
    end = begin + SECONDS
    taken: list[float] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port)
        while (start := time.perf_counter()) < end:
            connection.request("POST", "/predict", body, FORM)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the service answered {answer.status}")
            if start >= begin:
                taken.append(time.perf_counter() - start)
        connection.close()

    clients = [threading.Thread(target=ask) for _ in range(n_clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    p50, p99 = np.percentile(taken, [50, 99]) * 1000
    return len(taken) / SECONDS, float(p50), float(p99)


def service(bundle: Path) -> None:
    """Print a Markdown table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for batching, max_batch in (("no", 1), ("yes", 32)):
            with running_service(Path(folder), "--bundle", bundle, "--max-batch", max_batch) as running:
                rows += [(n_clients, batching, *load(running, n_clients)) for n_clients in CLIENTS]
    print(f"Service and clients on one machine, {machine()}; JPEG of 640 x 480, {SECONDS:.0f} s each\n")
    print("| clients | micro-batching | images/s | p50, ms | p99, ms |\n|---|---|---|---|---|")
    for n_clients, batching, rate, p50, p99 in sorted(rows, key=lambda row: row[0]):
        print(f"| {n_clients} | {batching} | {rate:.0f} | {p50:.0f} | {p99:.0f} |")
