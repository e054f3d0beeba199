"""Micro-batches and the bounded queue: first their parts, each step held still, then the service under load."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from benchmarks.service_process import running_service
from lacuna.serving.batching import Batcher
from lacuna.serving.queue import Queue
from lacuna.serving.refusals import RefusedError


class Network:
    """Doubles numbers, a batch each time that `go` is released."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.running = threading.Semaphore(0)
        self.batches: list[list[int]] = []

    def __call__(self, numbers):
        self.running.release()
        self.go.acquire()
        self.batches.append(list(numbers))
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]


async def started(network):
    """Once the network has begun another batch."""
    await asyncio.to_thread(network.running.acquire)


def run(scenario, max_batch=4):
    network, sizes = Network(), []

    async def all_of_it():
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(network, thread, max_batch, sizes.append)
            try:
                return await asyncio.wait_for(scenario(batcher, network), 30)
            finally:
                network.go.release(100)

    result = asyncio.run(all_of_it())
    assert sizes == [len(batch) for batch in network.batches]
    return result, network.batches


def test_a_batch_grows_only_while_the_network_runs():
    async def scenario(batcher, network):
        first = asyncio.create_task(batcher(0))
        await started(network)  # at once, for a single image
        others = [asyncio.create_task(batcher(number)) for number in range(1, 8)]
        await asyncio.sleep(0)
        network.go.release(4)
        return await asyncio.gather(first, *others)

    results, batches = run(scenario)

    assert results == [0, 2, 4, 6, 8, 10, 12, 14]
    assert batches == [[0], [1, 2, 3, 4], [5, 6], [7]]  # powers of two, at most 4


def test_who_has_given_up_is_left_out():
    async def scenario(batcher, network):
        first = asyncio.create_task(batcher(0))
        await started(network)
        gone, stays = asyncio.create_task(batcher(1)), asyncio.create_task(batcher(2))
        await asyncio.sleep(0)
        gone.cancel()
        network.go.release(2)
        return await asyncio.gather(first, stays)

    assert run(scenario) == ([0, 4], [[0], [2]])


def test_a_failed_batch_fails_its_own_waiters_and_no_later_ones():
    async def scenario(batcher, network):
        network.go.release(2)
        with pytest.raises(ValueError, match="13"):
            await batcher(13)
        return await batcher(1)

    assert run(scenario) == (2, [[13], [1]])


def test_the_queue_gives_places_to_all_images_of_a_request_or_to_none():
    lengths = []
    queue = Queue(4, lengths.append)

    with queue.places(3):
        with pytest.raises(RefusedError) as refused, queue.places(2):
            pass
        with queue.places(1):
            pass

    assert lengths == [3, 4, 3, 0]
    assert (refused.value.status, refused.value.code) == (503, "queue_full")
    assert refused.value.headers == {"Retry-After": "1"}
    with queue.places(4):
        pass


def test_together_images_get_the_same_answers_as_one_by_one(service, picture):
    rng = np.random.default_rng(0)
    images = [picture(tuple(map(int, rng.integers(0, 256, 3)))) for _ in range(40)]

    def ask(image):
        with service.client() as client:
            return client.post("/predict", files={"file": ("a.png", image)}).json()

    alone = [ask(image) for image in images]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, images))
    with service.client() as client:
        at_once = client.post("/predict/batch", files=[("files", ("a.png", image)) for image in images]).json()[
            "images"
        ]
        sizes = client.get("/metrics").text

    assert len({str(answer["targets"]) for answer in alone}) == len(images)
    for other in (together, at_once):
        for answer, expected in zip(other, alone, strict=True):
            for name, target in answer["targets"].items():
                assert target["probability"] == pytest.approx(expected["targets"][name]["probability"], abs=1e-6)
                assert target["decision"] == expected["targets"][name]["decision"]
    total, runs = (
        float(line.rpartition(" ")[2])
        for name in ("sum", "count")
        for line in sizes.splitlines()
        if line.startswith(f"lacuna_batch_images_{name} ")
    )
    assert runs < total  # some went together


@pytest.mark.slow
def test_a_full_queue_answers_503_and_when_to_come_back(bundle, tmp_path, picture):
    """Requests of 4 images fill a queue of 4: of many that come at once, some have to come back, and then succeed."""
    slow = picture(size=(1000, 1000), kind="PNG")
    files = [("files", slow)] * 4

    with running_service(tmp_path, "--bundle", bundle, "--max-queue", 4) as service:

        def ask(_):
            with service.client() as client:
                return client.post("/predict/batch", files=files)

        with ThreadPoolExecutor(12) as pool:
            answers: list[httpx.Response] = list(pool.map(ask, range(48)))
        assert ask(0).status_code == 200
        with service.client() as client:
            assert client.get("/metadata").json()["limits"]["max_batch_images"] == 4

    assert {answer.status_code for answer in answers} == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["error"]["code"] == "queue_full"
            assert answer.headers["retry-after"] == "1"
        else:
            assert len(answer.json()["images"]) == 4


@pytest.mark.slow
def test_without_batching_every_image_runs_alone(bundle, tmp_path, picture):
    with running_service(tmp_path, "--bundle", bundle, "--max-batch", 1) as service, service.client() as client:
        client.post("/predict/batch", files=[("files", picture())] * 9)
        figures = client.get("/metrics").text

    assert "lacuna_batch_images_sum 9.0" in figures
    assert "lacuna_batch_images_count 9.0" in figures
