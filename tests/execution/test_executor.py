"""The front of the engines, without a cluster; what the documentation says of one."""

import re
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lacuna.errors import LacunaError
from lacuna.execution.executor import open_executor


def test_in_process_jobs_are_done_one_by_one_in_their_order() -> None:
    done = []
    with open_executor("local", "", 0) as executor:
        receipts = executor.map(lambda job: done.append(job) or -job, [3, 1, 2])
        assert (next(receipts), done) == (-3, [3])
        assert list(receipts) == [-1, -2]


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "lacuna.execution.ray_engine", raising=False)
    expected = r"ray is not installed; `pip install .*requirements-ray\.txt`"
    with pytest.raises(LacunaError, match=expected), open_executor("ray", "", 0):
        pass


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.2:9", r"no Ray cluster at 127\.0\.0\.2:9 \(Connection refused\); `ray start --head` starts one"),
        ("ray://head:10001", "expected host:port or auto, received ray://head:10001"),
        ("head", "expected host:port or auto, received head"),
    ],
)
def test_an_address_where_no_cluster_can_be_is_one_line(address: str, expected: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(LacunaError, match=expected), open_executor("ray", address, 0):
        pass


def test_a_ray_of_its_own_that_does_not_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets lie in the folder of temporary files, and their paths must be short."""
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    expected = r"^Ray does not start on this machine, in .*: [^\n]*AF_UNIX[^\n]*$"
    with pytest.raises(LacunaError, match=expected), open_executor("ray", "", 1):
        pass


def test_the_manifest_in_the_documentation_is_a_cluster_of_the_pinned_ray(repository: Path) -> None:
    text = (repository / "docs/scale.md").read_text(encoding="utf-8")
    blocks = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    manifest = next(block for block in blocks if block.get("kind") == "RayCluster")
    assert f"ray=={manifest['spec']['rayVersion']}" in (repository / "requirements-ray.in").read_text()
    groups = [manifest["spec"]["headGroupSpec"], *manifest["spec"]["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    for pod in pods:
        (container,) = pod["containers"]
        assert {variable["name"] for variable in container["env"]} == {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}
        assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]
    assert pods[0]["containers"][0]["image"] == pods[1]["containers"][0]["image"]
