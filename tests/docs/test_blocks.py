"""Every command and every example in Python of README and docs runs, in one folder that has what they name.

The same command on two pages runs once. What cannot run here is named in `LEFT_OUT`, with the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import pytest

from tests.cli.command import cxpath
from tests.docs.pages import ROOT, Block, blocks, commands_of
from tests.docs.workshop import RESULT, answer_the_audit, furnish

pytestmark = pytest.mark.xdist_group("documented-commands")

LEFT_OUT = {
    "make": "makes environments of its own; only that there is such a target is checked",
    "pip": "installs packages",
    "conda": "other software",
    "dask": "a cluster; see tests/batch/test_workers_cluster.py",
    "openssl": "a cluster",
    "cxpath model train": "hours; see tests/app/test_train_model.py",
    "cxpath model pack": "needs a training; see tests/cli/test_models_pack.py",
    "cxpath model fine-tune": "minutes; see tests/app/test_fine_tune.py",
    "cxpath model evaluate": "hours and real data; see tests/evaluation",
    "cxpath demo": "a slide of 4 mm²; see tests/app/test_demo.py",
}
"""First words of commands that are not run, and why."""

OTHER_SOFTWARE = {"spatialdata": "not a test library", "napari": "not a test library"}
"""Examples in Python that import this are run by test_recipes_of_other_tools.py."""

SERVERS = ("cxpath review open", "cxpath study open")


def _remove(*names: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return prepare


def _begin_study(folder: Path) -> None:
    if not (folder / "study" / "study.toml").exists():
        run("cxpath study init study --slides slides --results cxpath-out/slide --reader amber", folder)


def _scored(folder: Path) -> None:
    if not (folder / "slide" / "score.json").exists():
        shutil.copytree(folder / RESULT, folder / "slide", dirs_exist_ok=True)


BEFORE: dict[str, Callable[[Path], None]] = {
    "cxpath agree init": _remove("reads.xlsx"),
    "cxpath therapy init": _remove("profile.toml"),
    "cxpath review audit cxpath-out/slide --answers": answer_the_audit,
    "cxpath review open slide": _scored,
}
"""What a reader of the page does before the command of this beginning."""


def console_commands() -> Iterator[tuple[Block, str]]:
    """Yield every command once, from the first page that has it."""
    seen = set[str]()
    for block in blocks("console", "bash", "sh"):
        for line in commands_of(block):
            words = " ".join(shlex.split(line, comments=True))
            if words and words not in seen:
                seen.add(words)
                yield block, line


def left_out(line: str) -> str | None:
    """Return the entry of `LEFT_OUT` that a command belongs to."""
    words = shlex.split(line, comments=True)
    return next((one for one in LEFT_OUT if words[: len(one.split())] == one.split()), None)


COMMANDS = list(console_commands())
RUN = [(block, line) for block, line in COMMANDS if not left_out(line)]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workshop")
    furnish(folder)
    return folder


@pytest.mark.parametrize(("block", "line"), RUN, ids=[f"{block.where} {line}"[:100] for block, line in RUN])
def test_a_documented_command_runs(
    block: Block, line: str, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workshop)
    for beginning, prepare in BEFORE.items():
        if line.startswith(beginning):
            prepare(workshop)
    run(line, workshop)


def run(line: str, folder: Path) -> None:
    """Run one command in the folder; those of cxpath in this process."""
    words = shlex.split(line, comments=True)
    _make_room(words, folder)
    if line.startswith(SERVERS):
        _serve(words, folder)
    elif words[0] == "cxpath":
        done = cxpath(*words[1:])
        assert done.returncode == 0, done.stderr
    elif words[0] == "export":
        name, _, value = words[1].partition("=")
        os.environ[name] = value
    else:
        assert words[0] == "python", words
        subprocess.run([sys.executable, *words[1:]], cwd=folder, check=True, timeout=300)


def _make_room(words: list[str], folder: Path) -> None:
    """Remove what the command is about to write: whoever reads the page has not run it yet."""
    outs = [folder / words[at + 1] for at, word in enumerate(words[:-1]) if word == "--out"]
    if words[:2] == ["cxpath", "score"] and "--out" not in words:
        outs.append(folder / "cxpath-out" / Path(words[2]).stem)
    for out in outs:
        shutil.rmtree(out, ignore_errors=True)


def _serve(words: list[str], folder: Path) -> None:
    """Start a server, wait until it says where it is, and end it as a person does."""
    command = [sys.executable, "-m", *words]
    environment = os.environ | {"BROWSER": "true", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        first = server.stdout.readline()
        server.send_signal(signal.SIGINT)
        rest = server.stdout.read()
    assert re.match(r"(review|open) +https?://", first), first + rest
    assert server.returncode in {0, 130}


def test_every_exception_is_used() -> None:
    used = {left_out(line) for _, line in COMMANDS}
    assert set(LEFT_OUT) - used == set()


def test_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {shlex.split(line, comments=True)[1] for _, line in COMMANDS if left_out(line) == "make"}
    assert named
    assert named <= targets


EXAMPLES = [
    block for block in blocks("python") if not any(f"import {name}" in block.text for name in OTHER_SOFTWARE)
]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.where)
def test_a_documented_example_runs(
    block: Block, workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workshop)
    mpl.use("Agg")
    shutil.rmtree(workshop / "out" / "slide", ignore_errors=True)
    exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})
