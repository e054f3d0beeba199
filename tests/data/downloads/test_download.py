"""TLS, and the way from a table of URLs to labels that find their images."""

import ssl
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from lacuna.cli import main
from lacuna.data.downloads.limits import DownloadLimits
from lacuna.data.fetch_urls import fetch_images
from lacuna.errors import LacunaError
from tests.conftest import TinyProject
from tests.data.web_server import png, web_server, whole


def make_certificate(folder: Path) -> Path:
    """A key and a certificate for localhost that nobody else knows."""
    both = folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key.pem"), "-out", str(both)]
    subprocess.run(command, check=True, capture_output=True)
    with open(both, "a") as file:
        file.write((folder / "key.pem").read_text())
    return both


def test_a_certificate_must_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    limits = DownloadLimits(rate=1000, first_wait=0, allow_private=True)
    with web_server() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
        server.pages["/1.png"] = whole(png(1))
        named, bare = (f"https://{host}:{server.http.server_port}/1.png" for host in ("localhost", "127.0.0.1"))
        (reason,) = fetch_images([named], tmp_path / "a", limits).failed.values()
        assert reason == "a certificate that does not hold: self-signed certificate"

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch_images([named], tmp_path / "a", limits).n_came == 1
        assert server.asked[0][1]["Host"] == f"localhost:{server.http.server_port}"
        (reason,) = fetch_images([bare], tmp_path / "b", limits).failed.values()
        assert "IP address mismatch" in reason


def test_the_labels_of_a_table_find_the_images_that_were_fetched(
    tiny_project: TinyProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_project({})
    paths = [f"/{'ab'[n % 2]}/{n // 2}.png" for n in range(16)] + [f"/show?id={n}" for n in range(8)]
    with web_server() as server:
        server.pages = {path: whole(png(n)) for n, path in enumerate(paths)}
        table = pd.DataFrame({"image_url": [f"{server.url}{path}" for path in paths], "note": "x"})
        table["colour"] = ["red", "blue", "red", "green"] * 6
        table.to_csv("labels.csv", index=False)
        assert main(["fetch", "urls", "labels.csv", "--allow-private", "--rate", "1000"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "labels.csv: column 'image_url' holds the URLs",
        "data/raw/images: 24 came, 0 were there, 0 failed",
        "next: python -m lacuna init data/raw/images --labels labels.csv",
    ]
    assert main(["init", "data/raw/images", "--labels", "labels.csv", "--yes"]) == 0
    printed = capsys.readouterr().out
    assert "column 'image_url' names the images: 24 of 24 are there" in printed
    assert "red 12, " in printed


def test_what_failed_is_counted_by_reason_and_the_exit_code_says_so(
    tiny_project: TinyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_project({})
    with web_server() as server:
        server.pages["/1.png"] = whole(png(1))
        urls = [f"{server.url}/{name}" for name in ("1.png", "2.png", "3.png")] + ["ftp://a.org/4.png"]
        Path("urls.txt").write_text("\n".join(urls))
        assert main(["fetch", "urls", "urls.txt", "--to", "here", "--allow-private"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "here: 1 came, 0 were there, 3 failed",
        f"failed: 2: 404 Not Found; the first is '{urls[1]}'",
        "failed: 1: no URL of http or https; the first is 'ftp://a.org/4.png'",
        "here/failed.csv lists what failed; the same command tries it again",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt"], "error: none.txt: no such file; expected a text of a URL a line, or a table"),
        (["urls.txt", "--rate", "0"], "error: --rate: expected a number above 0, received 0"),
        (["urls.txt", "--max-mb", "nan"], "error: --max-mb: expected a number above 0, received nan"),
        (["urls.txt", "--parallel", "1000"], "error: --parallel: expected a number from 1 to 64, received 1000"),
        (["urls.txt", "--to", "urls.txt"], "error: urls.txt: a file, expected the folder for the images (--to)"),
        (["urls.txt", "--to", "own"], "error: own/failed.csv: not a list of failures that fetch wrote; move it"),
    ],
)
def test_a_mistake_of_the_user_is_one_line(
    tiny_project: TinyProject, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    tiny_project({})
    Path("urls.txt").write_text("http://127.0.0.1:9/1.png\n")
    Path("own").mkdir()
    Path("own/failed.csv").write_text("patient,failed\n")
    assert main(["fetch", "urls", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)
    assert Path("own/failed.csv").read_text() == "patient,failed\n"


def test_a_proxy_that_is_not_used_is_named(
    tiny_project: TinyProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project({})
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    Path("urls.txt").write_text("http://127.0.0.1/1.png\n")
    main(["fetch", "urls", "urls.txt"])
    assert "warning: https_proxy is set, but fetch urls uses no proxies\n" in capsys.readouterr().err


def test_a_limit_is_an_amount() -> None:
    with pytest.raises(LacunaError, match="--file-timeout: expected a number above 0, received -1"):
        DownloadLimits(file_timeout=-1)
