from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cxpath.cli.main import app
from cxpath.errors import ConfigurationError, OutputError
from cxpath.review.events import ReviewError
from cxpath.viewer.launch import Binding, listening, run_review
from tests.viewer.reviews import READER, Scored, scored


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return scored(tmp_path_factory.mktemp("scored"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_is_safe(host: str) -> None:
    Binding(host).require_safe()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "review.example", ""])
def test_listening_to_others_needs_a_declared_proxy(host: str) -> None:
    with pytest.raises(ConfigurationError, match="does not ask who they are"):
        Binding(host).require_safe()
    Binding(host, proxy_origin="https://review.example").require_safe()


@pytest.mark.parametrize("origin", ["review.example", "https://", "https://a b", "ftp://x", "https://x/path"])
def test_a_proxy_is_declared_by_its_origin(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="no origin of a proxy"):
        Binding(proxy_origin=origin).require_safe()


def test_a_taken_port_is_said(slide: Scored, tmp_path: Path) -> None:
    results = slide.copied(tmp_path / "out").results
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"127.0.0.1:{port}: cannot be listened on"):
            run_review(results, slide.picture, READER, Binding(port=port), print, browser=False)


def test_the_port_that_a_report_links_to_is_taken_where_it_is_free(caplog: pytest.LogCaptureFixture) -> None:
    with listening(Binding()) as free:
        port = free.getsockname()[1]
    with listening(Binding(), port) as first:
        assert first.getsockname()[1] == port
        assert not caplog.records
        with listening(Binding(), port) as second:
            assert second.getsockname()[1] != port
    assert f"port {port} is taken" in caplog.text


def test_a_stated_port_is_taken_before_the_one_of_the_links() -> None:
    with listening(Binding()) as one, listening(Binding()) as other:
        stated, looked_for = (each.getsockname()[1] for each in (one, other))
    with listening(Binding(port=stated), looked_for) as listener:
        assert listener.getsockname()[1] == stated


def test_connections_do_not_wait_for_acknowledgements() -> None:
    with (
        listening(Binding()) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        taken, _ = listener.accept()
        with taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_another_slide_is_refused(slide: Scored, tmp_path: Path) -> None:
    results = slide.copied(tmp_path / "out").results
    other = tmp_path / "other.png"
    other.write_bytes(slide.picture.read_bytes()[:-1] + b"x")
    with pytest.raises(ReviewError, match="from another slide"):
        run_review(results, other, READER, Binding(), print, browser=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--slide"),
        (["--slide", "nowhere.svs"], "nowhere.svs: no such file"),
        (["--slide", "{slide}", "--host", "0.0.0.0"], "others could connect"),
        (["--slide", "{slide}", "--reviewer", "cxpath"], "printed name"),
    ],
)
def test_the_command_says_in_one_line_what_it_lacks(slide: Scored, options: list[str], said: str) -> None:
    arguments = [option.format(slide=slide.picture) for option in options]
    result = CliRunner().invoke(app, ["review", "open", str(slide.results), "--no-browser", *arguments])
    assert result.exit_code == 1
    message = str(result.exception or result.output)
    assert said in message or said in result.output


@contextmanager
def serving(results: Path, picture: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command as a user does; gives its process and the link that it prints."""
    command = [sys.executable, "-m", "cxpath", "review", "open", str(results), "--slide", str(picture)]
    process = subprocess.Popen(
        [*command, "--no-browser", "--reviewer", READER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/open\?token=\S+", line)
        assert found, line + (process.stderr.read() if process.stderr else "")
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def test_a_real_server_answers_its_link_and_ends_at_ctrl_c(slide: Scored, tmp_path: Path) -> None:
    results = slide.copied(tmp_path / "out").results
    with serving(results, slide.picture) as (process, link):
        address, query = link.removeprefix("http://").split("/", 1)
        assert answer_of(address, "/api/state")[0] == 401
        status, headers, _ = answer_of(address, f"/{query}")
        assert status == 303
        cookie = headers["set-cookie"].split(";")[0]
        assert answer_of(address, f"/{query}")[0] == 401
        status, _, state = answer_of(address, "/api/state", cookie)
        assert status == 200
        assert READER in state.decode()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "resume   cxpath review open" in out
    assert err == ""


def answer_of(address: str, path: str, cookie: str = "") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", path, headers={"cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found
