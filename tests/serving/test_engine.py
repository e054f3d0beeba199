"""What the engine does while its network is held still."""

import asyncio
import threading

import pytest

from lacuna.inference.predictor import Predictor
from lacuna.serving.engine import Engine
from lacuna.serving.metrics import ServiceMetrics
from lacuna.serving.models import ServedModel
from lacuna.serving.refusals import RefusedError
from lacuna.serving.settings import Limits, Settings
from tests.tiny_bundle import PICK, write_tiny_bundle

GREEN = (0, 255, 0)
KEYS = {"colour": "colour", "red": "red"}


class HeldPredictor(Predictor):
    """A model that answers when it is let go."""

    def hold(self):
        self.reached, self.let_go = threading.Event(), threading.Event()
        return self

    def predict_decoded(self, decoded):
        self.reached.set()
        self.let_go.wait(30)
        return super().predict_decoded(decoded)


def run(scenario, settings, folder):
    held = HeldPredictor.load(folder).hold()
    metrics = ServiceMetrics()

    async def all_of_it():
        engine = Engine(settings, [ServedModel("tiny", "0", held, KEYS)], metrics)
        try:
            return await scenario(engine, held)
        finally:
            held.let_go.set()
            engine.close()

    result = asyncio.run(all_of_it())
    assert b"lacuna_queue_images 0.0" in metrics.text()
    return result


def test_a_request_ends_with_the_model_that_it_began_with(bundle, tmp_path, picture):
    other = write_tiny_bundle(tmp_path / "other", pick=[[row[1], row[0], row[2]] for row in PICK])

    async def scenario(engine, held):
        before = asyncio.create_task(engine.predict([picture(GREEN)]))
        await asyncio.to_thread(held.reached.wait)
        await engine.reload()
        after = asyncio.create_task(engine.predict([picture(GREEN)]))
        held.let_go.set()
        return [(await task)[0].targets["colour"].decision for task in (before, after)]

    assert run(scenario, Settings((other,)), bundle) == ["green", "blue"]


def test_an_answer_that_comes_too_late_is_refused_and_its_place_is_free_again(bundle, picture):
    async def scenario(engine, held):
        with pytest.raises(RefusedError) as refused:
            await engine.predict([picture(GREEN)])
        held.let_go.set()
        return refused.value, await engine.predict([picture(GREEN)])

    settings = Settings((bundle,), limits=Limits(timeout_s=2, max_queue=1))
    refused, (answer,) = run(scenario, settings, bundle)

    assert (refused.status, refused.code) == (503, "timed_out")
    assert refused.headers["Retry-After"] == "1"
    assert answer.targets["colour"].decision == "green"


def test_a_full_queue_refuses_before_anything_is_decoded(bundle, picture):
    async def scenario(engine, held):
        waiting = asyncio.create_task(engine.predict([picture(GREEN)] * 2))
        await asyncio.to_thread(held.reached.wait)
        with pytest.raises(RefusedError) as refused:
            await engine.predict([b"not even an image"])
        held.let_go.set()
        return refused.value.code, len(await waiting)

    assert run(scenario, Settings((bundle,), limits=Limits(max_queue=2)), bundle) == ("queue_full", 2)


def test_as_many_images_are_predicted_at_a_time_as_there_are_cores(bundle, picture, monkeypatch):
    monkeypatch.setenv("LACUNA_CORES", "2")
    together = threading.Barrier(2, timeout=30)
    plain = HeldPredictor.predict_decoded
    monkeypatch.setattr(HeldPredictor, "predict_decoded", lambda *given: (together.wait(), plain(*given))[1])

    async def scenario(engine, held):
        held.let_go.set()
        return await engine.predict([picture(GREEN), picture((0, 0, 255))])

    answers = run(scenario, Settings((bundle,)), bundle)
    assert [answer.targets["colour"].decision for answer in answers] == ["green", "blue"]
