"""A `python` that starts with TensorFlow already imported, for pipelines of many short processes.

Importing it takes longer than a stage of a small project. A server imports the heavy libraries once and forks for each
`python -m MODULE`: still a process of its own in the caller's folder, with the caller's arguments, environment and
files, and it imports the caller's code afresh. Limits of the caller and its PYTHONHASHSEED do not reach it, and to kill
the caller leaves it alive. Each server has a hash seed of its own, drawn at random.
"""

import atexit
import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

HEAVY = (
    "keras", "tensorflow", "tf2onnx.tfonnx", "mlflow", "optuna", "pandas", "scipy.stats", "sklearn.linear_model",
    "matplotlib.pyplot",
)  # fmt: skip
"""None of them starts a thread pool, an engine or a device before its first use, so that a fork is safe."""

CLIENT = """#!{python} -IS
import os, sys
if sys.argv[1:2] != ["-m"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
import json, socket
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    wanted = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(wanted).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(wanted)
    sys.exit(int(server.recv(8) or b"1"))  # none when it was killed
"""


@pytest.fixture(scope="session")
def python() -> Iterator[Path]:
    """The folder of a Python with TensorFlow already imported."""
    with preloaded_python() as folder:
        yield folder


@contextlib.contextmanager
def preloaded_python() -> Iterator[Path]:
    """Start a server; yield the folder of its `python`, to be put first in PATH. `dvc` lies beside it."""
    with tempfile.TemporaryDirectory() as folder:  # an address has at most 108 characters
        address, client = f"{folder}/socket", Path(folder, "python")
        client.write_text(CLIENT.format(python=sys.executable, address=address))
        client.chmod(0o755)
        Path(folder, "dvc").symlink_to(Path(sys.executable).with_name("dvc"))
        command = [sys.executable, __file__, address]
        environment = {**os.environ, "PYTHONHASHSEED": "random"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            assert server.stdout
            assert server.stdout.readline() == b"ready\n"
            try:
                yield Path(folder)
            finally:
                server.kill()


def serve(address: str) -> None:
    """Fork for each client, for ever."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}
    for name in HEAVY:
        __import__(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        signal.signal(signal.SIGCHLD, _reap)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listening.close()
                code = answer(connection, Path(address).with_name("python"))
                connection.sendall(str(code).encode())
                os._exit(0)
            connection.close()


def _reap(*_: object) -> None:
    """Leave no zombies, and have `time` count what they took, as it would not if their end were ignored."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def answer(connection: socket.socket, python: Path) -> int:
    """Be the process that the client asked for; return its exit status."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as stream:
        (module, *arguments), folder, environment = json.loads(stream.read(int.from_bytes(size, "big")))
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ |= environment
    tempfile.tempdir = None  # found anew, where the caller's environment says
    sys.executable, sys.argv = str(python), [module, *arguments]
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(sys.argv[1])
