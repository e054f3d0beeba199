"""What four of the costliest uploads at a time do to a service, to its memory and to an honest client beside them.

python -m benchmarks largest_uploads --bundle models/bundle
"""

import signal
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil
from PIL import Image

from benchmarks.hostile_images import HOSTILE_IMAGES, encoded
from benchmarks.project import machine
from benchmarks.service_process import PATIENCE_S, Service, running_service

AT_ONCE = 4
SIDES = (8800, 5600)
LARGEST_UPLOAD = 20_000_000


def largest_uploads(bundle: Path) -> None:
    """Print a table: the answers, how long the slowest and an honest client waited, memory of all processes at peak."""
    honest = encoded(Image.new("RGB", (300, 200), "red"), "JPEG")
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder), "--bundle", bundle) as service:
        _post(service, honest)
        print(f"{machine()}; {AT_ONCE} uploads at a time; at rest {_memory(service):.0f} MiB\n")
        print("| upload | file, MB | answers | slowest, s | beside it, s | peak, MiB |\n|---|---|---|---|---|---|")
        uploads = _largest()
        for name, content in uploads.items():
            answers: list[tuple[int, float]] = []
            beside: list[tuple[int, float]] = []
            clients = [
                threading.Thread(target=lambda sent=content, into=answers: into.append(_post(service, sent)))
                for _ in range(AT_ONCE)
            ]
            clients.append(threading.Thread(target=lambda into=beside: into.append(_post(service, honest))))
            for client in clients:
                client.start()
            peak = 0.0
            while any(client.is_alive() for client in clients):
                peak = max(peak, _memory(service))
                time.sleep(0.02)
            statuses = ", ".join(map(str, sorted({status for status, _ in answers})))
            slowest = max(seconds for _, seconds in answers)
            print(
                f"| {name} | {len(content) / 1e6:.2f} | {statuses} | {slowest:.1f} | "
                f"{beside[0][1]:.1f} ({beside[0][0]}) | {peak:.0f} |",
                flush=True,
            )
        for _ in range(2):
            threading.Thread(
                target=_post, args=(service, uploads["PNG of a million chunks behind the picture"])
            ).start()
        time.sleep(1)
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        service.process.wait(PATIENCE_S)
        print(f"\nFrom SIGTERM to the end, with two of the last but two in work: {time.monotonic() - began:.1f} s")


def _largest() -> dict[str, bytes]:
    picture = Image.linear_gradient("L").resize(SIDES).convert("RGB")
    large = {
        "WebP of 49 megapixels": encoded(picture, "WEBP", method=0),
        "AVIF of 49 megapixels": encoded(picture, "AVIF", speed=10, subsampling="4:4:4"),
        "progressive JPEG of 49 megapixels": encoded(picture, "JPEG", progressive=True, subsampling=0),
    }
    hostile = {name: make() for name, make in HOSTILE_IMAGES.items()}
    return large | {name: content for name, content in hostile.items() if len(content) < LARGEST_UPLOAD}


def _post(service: Service, content: bytes) -> tuple[int, float]:
    began = time.monotonic()
    try:
        status = httpx.post(f"{service.address}/predict", files={"file": content}, timeout=PATIENCE_S).status_code
    except httpx.HTTPError:
        status = 0
    return status, time.monotonic() - began


def _memory(service: Service) -> float:
    """MiB of the service and all that it has started, without what lies in files."""
    processes = [psutil.Process(service.process.pid)]
    processes += processes[0].children(recursive=True)
    n_bytes = 0
    for process in processes:
        try:
            found = process.memory_info()
            n_bytes += found.rss - found.shared
        except psutil.NoSuchProcess:
            continue
    return n_bytes / 2**20
