"""The bounded queue: by itself, then in the service under load."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from benchmarks.service_process import running_service
from lacuna.serving.queue import Queue
from lacuna.serving.refusals import RefusedError


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

    assert len({str(answer["targets"]) for answer in alone}) == len(images)
    for other in (together, at_once):
        for answer, expected in zip(other, alone, strict=True):
            for name, target in answer["targets"].items():
                assert target["probability"] == pytest.approx(expected["targets"][name]["probability"], abs=1e-6)
                assert target["decision"] == expected["targets"][name]["decision"]


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
