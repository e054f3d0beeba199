"""Images that are small as files and costly to read, sent to a service: refused in words, and the next is answered."""

import asyncio

import pytest
from PIL import Image

from benchmarks import hostile_images as hostile
from lacuna.serving.engine import Engine
from lacuna.serving.metrics import ServiceMetrics
from lacuna.serving.models import load_models
from lacuna.serving.settings import Limits, Settings
from tests.heic_picture import TURNED_HEIC

REFUSED = {
    "PPM": (hostile.ppm_of_comments(70_000), "no width and height within the first 65536 bytes of a PPM"),
    "honest PPM": (b"P6 1 1 255\n\0\0\0", "PPM images are not taken here"),
    "segments": (hostile.jpeg_of_segments(5000), "too much before the picture"),
    "scans": (hostile.jpeg_of_scans(200, 1000), "too many scans: 200 over 1000 x 1000 pixels"),
    "strips": (hostile.tiff_of_strips(200_000), "too much before the picture"),
    "offsets": (hostile.tiff_of_strips(20_000, 30_000), "TIFF images are not taken here"),
    "tiles": (hostile.tiff_of_shared_tiles(2, 30, 64), "TIFF images are not taken here"),
    "tall": (hostile.blank_png(1, 70_000), "a side too long"),
    "deep": (hostile.blank_png(7071, 7071, 16)[:20_000], "too many pixels: 7071 x 7071, at most 1000000"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_hostile_image_is_refused_with_the_reason_and_the_next_is_answered(client, picture, kind):
    content, reason = REFUSED[kind]
    answer = client.post("/predict", files={"file": content})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unreadable_image")
    assert reason in answer.json()["error"]["message"]
    assert client.post("/predict", files={"file": picture((0, 255, 0))}).status_code == 200


def test_what_phones_send_is_answered(client):
    avif = hostile.encoded(Image.new("RGB", (40, 40), (0, 255, 0)), "AVIF")
    assert client.post("/predict", files={"file": TURNED_HEIC}).status_code == 200
    assert client.post("/predict", files={"file": avif}).json()["targets"]["colour"]["decision"] == "green"


def in_engine(bundle, limits, *contents):
    """What an engine with these limits says of each content, one after another."""

    async def ask():
        settings = Settings((bundle,), limits=limits)
        engine = Engine(settings, load_models(settings), ServiceMetrics())
        try:
            return [(await engine.predict([content]))[0] for content in contents]
        finally:
            engine.close()

    return asyncio.run(ask())


def test_what_is_too_slow_is_ended_and_the_next_is_answered(bundle, picture):
    refused, answer = in_engine(bundle, Limits(decode_s=1), hostile.png_of_chunks(1_000_000), picture((0, 255, 0)))
    assert "too slow: not decoded within 1 s; expected an image" in refused.message
    assert answer.targets["colour"].decision == "green"


def test_a_light_image_does_not_wait_for_heavy_ones(bundle, picture):
    async def ask():
        settings = Settings((bundle,))
        engine = Engine(settings, load_models(settings), ServiceMetrics())
        heavy = [asyncio.create_task(engine.predict([hostile.png_of_chunks(2_000_000)])) for _ in range(8)]
        await asyncio.sleep(0.1)
        try:
            (answer,) = await engine.predict([picture((0, 255, 0))])
            return answer.targets["colour"].decision, any(task.done() for task in heavy)
        finally:
            engine.hurry()
            engine.close()
            await asyncio.gather(*heavy, return_exceptions=True)

    assert asyncio.run(ask()) == ("green", False)


def test_nobody_waits_for_a_slow_image_when_the_service_ends(bundle):
    async def ask():
        settings = Settings((bundle,))
        engine = Engine(settings, load_models(settings), ServiceMetrics())
        waiting = asyncio.create_task(engine.predict([hostile.png_of_chunks(2_000_000)]))
        await asyncio.sleep(0)
        engine.hurry()
        try:
            return (await waiting)[0]
        finally:
            engine.close()

    refused = asyncio.run(ask())
    assert (refused.status, refused.code) == (503, "timed_out")
    assert "no answer within 2 s" in refused.message


def test_what_takes_more_memory_than_all_may_is_refused(bundle, picture):
    limits = Limits(max_decoding_bytes=52_000_000)
    refused, answer = in_engine(bundle, limits, picture(size=(900, 900), kind="WEBP"), picture((0, 255, 0)))
    assert "too large: 900 x 900 pixels of a WEBP take 62 MB to decode, at most 52 are allowed" in refused.message
    assert answer.targets["colour"].decision == "green"
