"""Uploads that mean harm, and a fuzzer that knows the API's description: nothing but 2xx and 4xx, in bounded memory."""

import contextlib
from collections import Counter
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from benchmarks.hostile_uploads import hostile_uploads

MEGABYTE = 1_000_000
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


def memory(pid: int) -> int:
    """The anonymous memory of a process in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


@pytest.mark.slow
def test_300_hostile_uploads_get_4xx_and_memory_stays_bounded(service, client, picture):
    statuses = Counter()
    client.post("/predict", files={"file": picture()})
    before = memory(service.process.pid)
    peak = 0

    for upload in hostile_uploads(300):
        answer = client.post(upload.path, content=upload.body(), headers=upload.headers)
        may_be_read = upload.kind.startswith(("fuzzed", "batch", "name", "bomb gif", "no image"))
        assert 400 <= answer.status_code < 500 or (may_be_read and answer.status_code == 200), (
            upload.kind,
            answer.text,
        )
        if answer.status_code != 200:
            assert set(answer.json()["error"]) == {"code", "message"}, upload.kind
        statuses[answer.status_code] += 1
        peak = max(peak, memory(service.process.pid))

    assert {200, 400, 413, 415} <= set(statuses)
    assert peak - before < 150 * MEGABYTE
    assert "Traceback" not in service.log
    assert client.post("/predict", files={"file": picture()}).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_that_the_description_allows_or_forbids_breaks_the_service(service, mode):
    description = schemathesis.openapi.from_url(f"{service.address}/openapi.json")
    operations = [found.ok() for found in description.get_all_operations()]
    sent = Counter()

    for operation in operations:

        @settings(max_examples=20, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate(checks=CHECKS)
            sent[case.operation.label] += 1

        with contextlib.suppress(Unsatisfiable):  # what takes no parameter can get no wrong one
            ask()

    assert len(operations) == 8
    assert {"POST /predict", "POST /predict/batch", "POST /explain"} <= set(sent)
    assert "Traceback" not in service.log
