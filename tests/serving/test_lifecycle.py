"""Start, reload and end, with real signals to real processes."""

import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from benchmarks.service_process import PATIENCE_S, REPOSITORY, command, running_service
from tests.tiny_bundle import PICK, write_tiny_bundle

pytestmark = pytest.mark.slow


def swapped(folder):
    """The tiny bundle with green and blue the other way round."""
    return write_tiny_bundle(folder, pick=[[row[1], row[0], row[2]] for row in PICK])


def install(new, at):
    """Put a whole bundle where another is, by renaming, as atomic_folder does."""
    at.rename(at.with_name("before"))
    shutil.copytree(new, at.with_name("incoming"))
    at.with_name("incoming").rename(at)


def decisions(answers):
    return [answer.json()["targets"]["colour"]["decision"] for answer in answers]


class Load:
    """Clients that ask without pause over open connections, until the service takes no more or `end` is called."""

    def __init__(self, service, image, n_clients=8):
        self.answers: list[httpx.Response] = []
        self.lost: list[Exception] = []
        self._service, self._image, self._ended = service, image, threading.Event()
        self._pool = ThreadPoolExecutor(n_clients)
        self._clients = [self._pool.submit(self._ask) for _ in range(n_clients)]

    def wait_for(self, n_answers):
        self.wait_until(lambda answers: len(answers) >= n_answers)

    def wait_until(self, met):
        deadline = time.monotonic() + PATIENCE_S
        while not met(self.answers) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert met(self.answers)

    def end(self):
        self._ended.set()
        for client in self._clients:
            client.result()
        self._pool.shutdown()

    def _ask(self):
        with self._service.client() as client:
            while not self._ended.is_set():
                try:
                    self.answers.append(client.post("/predict", files={"file": self._image}))
                except httpx.ConnectError:  # no connection, so nothing was accepted
                    return
                except httpx.HTTPError as error:
                    self.lost.append(error)
                    return


def test_sigterm_under_load_loses_no_accepted_request(bundle, tmp_path, picture):
    with running_service(tmp_path, "--bundle", bundle) as service:
        load = Load(service, picture())
        load.wait_for(100)
        assert service.stop() == 0
        load.end()

    assert load.lost == []
    assert {answer.status_code for answer in load.answers} == {200}
    assert "Traceback" not in service.log


def test_sigterm_answers_what_it_has_taken(bundle, tmp_path, picture):
    """Requests that are still being uploaded when the signal comes are completed and answered."""
    body = httpx.Request("POST", "http://x", files={"file": picture()})
    body.read()
    middle, typed = len(body.content) // 2, {"content-type": body.headers["content-type"]}
    reached, goes_on = threading.Semaphore(0), threading.Event()

    def halves():
        yield body.content[:middle]
        reached.release()
        goes_on.wait(PATIENCE_S)
        yield body.content[middle:]

    with running_service(tmp_path, "--bundle", bundle) as service, ThreadPoolExecutor(8) as pool:

        def ask():
            with httpx.Client(base_url=service.address, timeout=PATIENCE_S, verify=False) as client:
                client.get("/health")  # now the service has this connection: it does not wait in the kernel's queue
                return client.post("/predict", content=halves(), headers=typed)

        asked = [pool.submit(ask) for _ in range(8)]
        for _ in asked:
            reached.acquire(timeout=PATIENCE_S)
        service.signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not refuses_connections(service.address):
            time.sleep(0.02)
        assert refuses_connections(service.address)
        goes_on.set()
        answers = [one.result() for one in asked]
        assert service.process.wait(PATIENCE_S) == 0

    assert [answer.status_code for answer in answers] == [200] * 8


def refuses_connections(address):
    """Being cut off counts too: the connection was made in the moment the service stopped listening."""
    try:
        httpx.get(f"{address}/health", verify=False)
    except httpx.TransportError:
        return True
    return False


def test_while_it_drains_it_is_live_but_not_ready(bundle):
    import asyncio

    from lacuna.serving.app import create_app
    from lacuna.serving.models import load_models
    from lacuna.serving.settings import Settings

    settings = Settings((bundle,))
    app = create_app(settings, load_models(settings))
    app.draining = True

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.get("/health")

    answer = asyncio.run(ask())
    app.engine.close()
    assert (answer.status_code, answer.json()) == (503, {"status": "draining", "live": True, "ready": False})
    assert answer.headers["connection"] == "close"


def test_sighup_swaps_the_bundle_and_drops_no_request(bundle, tmp_path, picture):
    place = tmp_path / "live"
    shutil.copytree(bundle, place)
    other = swapped(tmp_path / "other")

    with running_service(tmp_path, "--bundle", place) as service:
        load = Load(service, picture((0, 255, 0)))
        load.wait_for(50)
        install(other, place)
        service.signal(signal.SIGHUP)
        service.wait_for("now serving")
        load.wait_until(lambda answers: set(decisions(answers[-100:])) == {"blue"})
        load.end()
        assert service.stop() == 0

    assert load.lost == []
    assert {answer.status_code for answer in load.answers} == {200}
    assert set(decisions(load.answers[:50])) == {"green"}
    assert set(decisions(load.answers[-100:])) == {"blue"}


def test_sighup_while_it_starts_ends_nothing(bundle, tmp_path, picture):
    with running_service(tmp_path, "--bundle", bundle) as service:
        service.signal(signal.SIGHUP)  # the models are loaded, but not served yet
        with service.client() as client:
            assert client.post("/predict", files={"file": picture()}).status_code == 200
        service.wait_for("now serving")
        assert service.stop() == 0


def test_sighup_with_a_bad_bundle_keeps_the_old_one_and_says_so(bundle, tmp_path, picture):
    place = tmp_path / "live"
    shutil.copytree(bundle, place)

    with running_service(tmp_path, "--bundle", place) as service, service.client() as client:
        before = client.get("/metadata").json()
        weights = place / "model.bin"
        weights.write_bytes(b"\0" + weights.read_bytes()[1:-1] + b"\1")
        service.signal(signal.SIGHUP)
        line = service.wait_for("ERROR error: .*")

        assert "model.bin" in line
        assert "SHA-256 differs" in line
        assert f"still serving live {before['models'][0]['version']}" in line
        assert client.get("/metadata").json() == before
        assert client.post("/predict", files={"file": picture()}).status_code == 200
        assert 'lacuna_reloads_total{result="refused"} 1.0' in client.get("/metrics").text

        shutil.rmtree(place)
        shutil.copytree(swapped(tmp_path / "other"), place)
        service.signal(signal.SIGHUP)
        service.wait_for("now serving live")
        assert client.get("/metadata").json() != before
        assert "Traceback" not in service.log


def damaged(folder, what):
    if what == "half copied":
        (folder / "model.bin").unlink()
    elif what == "damaged":
        (folder / "model.xml").write_bytes((folder / "model.xml").read_bytes()[:-10])
    elif what == "no JSON":
        (folder / "bundle.json").write_bytes((folder / "bundle.json").read_bytes()[:100])
    else:
        shutil.rmtree(folder)


@pytest.mark.parametrize("what", ["half copied", "damaged", "no JSON", "missing"])
def test_a_bad_bundle_starts_nothing(bundle, tmp_path, what):
    shutil.copytree(bundle, tmp_path / "bad")
    damaged(tmp_path / "bad", what)

    line = failed_start("--bundle", bundle, tmp_path / "bad")

    assert line.startswith(f"error: {tmp_path / 'bad'}")


def test_an_address_in_use_or_a_limit_of_nothing_starts_nothing(service, bundle):
    assert "choose another --host or --port" in failed_start("--bundle", bundle, "--port", service.port)
    assert "choose another --host or --port" in failed_start("--bundle", bundle, "--port", 70_000)
    assert "--max-queue: expected a number above 0, received 0" in failed_start("--bundle", bundle, "--max-queue", 0)
    assert "--max-upload-mb: expected a number above 0" in failed_start("--bundle", bundle, "--max-upload-mb", "nan")
    assert "--timeout: expected a number above 0" in failed_start("--bundle", bundle, "--timeout", "inf")


def test_a_folder_without_examples_starts_nothing(bundle, tmp_path):
    line = failed_start("--bundle", bundle, "--examples", tmp_path)
    assert line == f"error: {tmp_path}: expected a folder of images to offer as examples, found none"


def test_a_bundle_may_be_named_by_an_option_of_its_own(bundle, tmp_path):
    other = shutil.copytree(bundle, tmp_path / "other")
    with running_service(tmp_path, "--bundle", bundle, "--bundle", other) as service, service.client() as client:
        assert [one["name"] for one in client.get("/metadata").json()["models"]] == [Path(bundle).name, "other"]


def failed_start(*arguments):
    """The one line that a start says that ends with exit code 1."""
    done = subprocess.run(command(*arguments), cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line
