"""The API key over time: wrong ones, and another one in the file."""

import os
import signal

import pytest

from benchmarks.service_process import running_service
from lacuna.serving.api_key import MOST_ADDRESSES, MOST_WRONG_KEYS, WINDOW_S, WrongKeys

OLD, NEW = "the-former-key-0123456789", "the-present-key-0123456789"


class Clock:
    """A time that passes only when it is told to."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def wrong_keys(clock):
    return WrongKeys(clock)


def test_more_than_ten_wrong_keys_in_a_minute_have_to_wait_for_its_end(wrong_keys, clock):
    assert [wrong_keys.add("192.0.2.1") for _ in range(MOST_WRONG_KEYS)] == [0] * MOST_WRONG_KEYS
    clock.now += 20
    assert wrong_keys.add("192.0.2.1") == 41  # a part of a second counts as one
    assert wrong_keys.add("192.0.2.2") == 0
    clock.now += WINDOW_S - 20
    assert wrong_keys.add("192.0.2.1") == 0


def test_a_network_of_ipv6_addresses_is_one_client_and_mapped_ones_are_not(wrong_keys):
    waits = [wrong_keys.add(f"2001:db8:1:2::{number:x}") for number in range(MOST_WRONG_KEYS + 1)]
    assert waits[-1] > 0
    assert wrong_keys.add("2001:db8:1:3::1") == 0
    assert all(wrong_keys.add(f"::ffff:192.0.2.{number}") == 0 for number in range(MOST_WRONG_KEYS + 1))


def test_strangers_fill_neither_memory_nor_the_log(wrong_keys, caplog):
    for _ in range(100):
        wrong_keys.add("192.0.2.1")
    assert [record.getMessage() for record in caplog.records] == [
        "a wrong API key from 192.0.2.1",
        "more than 10 wrong API keys in a minute from 192.0.2.1",
    ]
    for number in range(3 * MOST_ADDRESSES):
        wrong_keys.add(f"10.1.{number // 256}.{number % 256}")
    assert len(wrong_keys._windows) == MOST_ADDRESSES


def test_wrong_keys_get_429_and_the_right_one_passes_all_the_same(app_client):
    client = app_client(api_key=OLD)

    def ask(path="/metadata", **headers):
        return client.get(path, headers=headers)

    for _ in range(50):  # to bring none is no guess
        assert ask().status_code == 401
    for number in range(MOST_WRONG_KEYS):
        assert ask(**{"X-API-Key": f"{NEW}{number}"}).status_code == 401
    refused = ask(**{"X-API-Key": NEW})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_wrong_keys")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["retry-after"] in refused.json()["error"]["message"]
    assert ask(Authorization="Basic YTpi").status_code == 429  # a:b
    assert ask(**{"X-API-Key": OLD}).status_code == 200
    assert ask("/health").status_code == 200
    assert ask().status_code == 401


@pytest.mark.slow
def test_sighup_takes_up_another_key(bundle, tmp_path):
    file = tmp_path / "key"
    file.write_text(OLD)
    options = ("--bundle", bundle, "--api-key-file", file)
    with running_service(tmp_path, *options) as service:

        def statuses():
            found = []
            for key in (OLD, NEW):
                with service.client() as client:
                    found.append(client.get("/metadata", headers={"X-API-Key": key}).status_code)
            return found

        assert statuses() == [200, 401]
        (tmp_path / "new").write_text(NEW)
        os.replace(tmp_path / "new", file)
        service.signal(signal.SIGHUP)
        service.wait_for("now serving")
        assert statuses() == [401, 200]
        file.write_text("short")
        service.signal(signal.SIGHUP)
        assert "expected an API key of at least 16" in service.wait_for("ERROR error: (.*)")
        assert statuses() == [401, 200]
        assert service.log.count(f"another API key from {file}") == 1
        assert NEW not in service.log
