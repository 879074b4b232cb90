"""Every command, example and file that README and documentation show works as shown.

Commands and examples in Python run in one folder that has what they name; the same command on two pages runs
once. What cannot run in a test is listed in `PARSED_ONLY` with the reason, and must still be understood by
the program that it calls. Files and diagrams are each checked by a function of `CHECKS`.

Where a block shows what a command prints, the command must print it; `…` stands for whatever differs from run
to run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import takewhile
from pathlib import Path

import matplotlib as mpl
import pytest
import uvicorn
from distributed.cli import dask_scheduler, dask_worker

from cxpath.app.configuration import load_configuration
from cxpath.app.fine_tune import FIGURES, SYNTHETIC_FIGURES
from cxpath.app.therapy import lint_files
from cxpath.errors import CxpathError
from cxpath.io.cell_classes import read_cell_classes
from cxpath.io.foreign_cells import read_given_cells
from cxpath.patient.profile import profile_from
from cxpath.scores.other_scores import Assay
from cxpath.training.annotations import find_pairs, read_class_map
from cxpath.training.settings import FineTuneSettings, read_fine_tune_settings
from tests.cli.command import cxpath
from tests.docs import example_folder
from tests.docs.pages import CONSOLE, NOTEBOOK, PAGES, ROOT, Block, blocks, transcript
from tests.docs.test_commands import COMMANDS as PROGRAM
from tests.io.test_foreign_cells import CLASSES, info as slide_info

pytestmark = [
    pytest.mark.xdist_group("documented-commands"),
    pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option"),
]

PARSED_ONLY = {
    "make": "makes environments of its own, or measures for an hour",
    "pip install": "installs packages from a registry",
    "uv pip install": "installs packages from a registry",
    "conda": "other software",
    "cxpath demo": "a slide of 4 mm²; tests/app/test_demo.py runs it",
    "cxpath model train": "hours; tests/training and tests/app/test_train_model.py train on little",
    "cxpath model pack": "needs a training; see tests/cli/test_models_pack.py",
    "cxpath model fine-tune": "minutes; see tests/app/test_fine_tune.py",
    "cxpath batch run slides/ --out night --assay 22c3 --workers 4": "worker processes; see tests/batch",
    "dask": "a cluster of computers; tests/scripts/test_cluster_recipes.py starts one on this computer",
    "cxpath batch run /share": "a cluster of computers with GPUs, or Slurm; see tests/batch",
    "cxpath study open study --host": "listens on the address of another computer; see tests/viewer",
}
"""Beginnings of commands that are not run, and why."""

INSTEAD = {"postgresql://cxpath:secret@server/results": "sqlite:///results.db"}
"""What a command names and a test cannot have, and what it gets."""

OTHER_SOFTWARE = frozenset({"spatialdata", "napari"})
"""Imported by examples that test_recipes_of_other_tools.py runs where it is installed."""

SERVERS = ("cxpath review open", "cxpath study open")


def shown(*languages: str) -> list[Block]:
    """Return the blocks of all pages but the laboratory notebooks."""
    return [block for block in blocks(*languages) if NOTEBOOK not in block.page.parents]


# What a reader has done before a command, when the pages do not say so in a command of their own.


def _remove(*names: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return prepare


BEFORE: dict[str, Callable[[Path], None]] = {
    "cxpath agree calibrate": example_folder.restore_result,
    "cxpath agree init": _remove("reads.xlsx"),
    "cxpath agree run": example_folder.write_reads,
    "cxpath export cxpath-out/slide": example_folder.restore_result,
    "cxpath export cxpath-out/slide --format dicom --slide": example_folder.score_the_dicom_series,
    "cxpath study init": example_folder.offer_slides_to_readers,
    "cxpath study status": example_folder.let_readers_read,
    "cxpath therapy init": _remove("profile.toml"),
    "cxpath review audit cxpath-out/slide --answers": example_folder.answer_the_audit,
}


def _make_room(words: list[str], folder: Path) -> None:
    """Remove what the command is about to write: a reader of the page has not run it yet."""
    outs = [folder / words[at + 1] for at, word in enumerate(words[:-1]) if word == "--out"]
    if words[:2] == ["cxpath", "score"] and "--out" not in words:
        outs.append(folder / "cxpath-out" / Path(words[2]).stem)
    if words[:3] == ["cxpath", "study", "init"]:
        outs.append(folder / words[3])
    for out in outs:
        shutil.rmtree(out, ignore_errors=True)


# Commands.


def console_commands() -> Iterator[tuple[Block, str, list[str]]]:
    """Yield every command once, from the first page that has it, with the lines that it is shown to print."""
    seen = set[str]()
    for block in shown(*CONSOLE):
        for command, printed in transcript(block):
            words = shlex.join(shlex.split(command, comments=True))
            if words not in seen or printed:
                seen.add(words)
                yield block, words, printed


def not_run(command: str) -> str | None:
    """Return the entry of `PARSED_ONLY` that a command belongs to."""
    return next((one for one in PARSED_ONLY if command.startswith(one)), None)


COMMANDS = list(console_commands())


def _named(found: list[tuple[Block, str, list[str]]]) -> list[str]:
    return [f"{block.where} {command}"[:100] for block, command, _ in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    filled = tmp_path_factory.mktemp("example")
    example_folder.fill(filled)
    return filled


RUN = [one for one in COMMANDS if not not_run(one[1])]


def test_documented_commands_run_one_after_the_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one test: a command reads what an earlier one of its page, or of another page, has written."""
    failed = []
    for block, command, printed in RUN:
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            try:
                _run_as_documented(block, command, printed, folder, patch)
            except (AssertionError, CxpathError) as error:
                failed.append(f"{block.where} {command}: {error}")
    assert not failed, "\n".join(failed)


def _run_as_documented(
    block: Block, command: str, printed: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for beginning, prepare in BEFORE.items():
        if command.startswith(beginning):
            prepare(folder)
    for named, instead in INSTEAD.items():
        command = command.replace(named, instead)
    said = run(command, folder, monkeypatch)
    if printed:
        assert re.search(pattern(printed), said), f"{block.where}: prints\n{said}"


def run(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run one command in the folder, those of cxpath in this process; returns what it printed."""
    words = shlex.split(command)
    _make_room(words, folder)
    if words[0] == "export":
        name, _, value = words[1].partition("=")
        os.environ[name] = value
        return ""
    if command.startswith(SERVERS):
        _end_servers_at_once(monkeypatch)
    assert words[0] == "cxpath", f"{words[0]}: neither run nor listed in PARSED_ONLY"
    done = cxpath(*words[1:])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _own_environment() -> Iterator[None]:
    """Take back what documented commands export."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def _end_servers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server listen, say where, and end as after Ctrl-C, without a browser."""

    async def ends(_: uvicorn.Server) -> None:
        return None

    monkeypatch.setattr(uvicorn.Server, "main_loop", ends)
    monkeypatch.setattr("webbrowser.open", lambda *_: True)


def pattern(printed: list[str]) -> str:
    """Return a regular expression of shown lines: `…` is anything, blanks are as many as there are."""
    lines = (re.escape(line.strip()).replace("…", ".*") for line in printed)
    return r"[^\S\n]*\n[^\S\n]*".join(re.sub(r"(\\ )+", r"[^\\S\\n]+", line) for line in lines)


def test_a_shown_line_is_compared_with_what_was_printed() -> None:
    said = "cps      12 (4.1 to 30)\nfolder   cxpath-out/slide\n"
    assert re.search(pattern(["cps   … (… to 30)", "folder cxpath-out/slide"]), said)
    assert not re.search(pattern(["cps   13"]), said)


PARSED = [one for one in COMMANDS if not_run(one[1])]


@pytest.mark.parametrize(("block", "command", "printed"), PARSED, ids=_named(PARSED))
def test_a_command_that_is_not_run_is_understood(block: Block, command: str, printed: list[str]) -> None:
    assert not printed, f"{block.where}: what a command prints is only shown where a test can run it"
    words = shlex.split(command)
    PARSERS[words[0]](words[1:])


def test_every_exception_is_used() -> None:
    assert set(PARSED_ONLY) - {not_run(command) for _, command, _ in COMMANDS} == set()
    every = [command for _, command, _ in COMMANDS]
    assert [one for one in (*BEFORE, *INSTEAD) if not any(one in command for command in every)] == []


def _is_command(words: list[str]) -> None:
    names = next(tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in PROGRAM)
    PROGRAM[names].make_context("cxpath", words[len(names) :])


def _is_target(words: list[str]) -> None:
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, equals, value = word.partition("=")
        assert f"$({name})" in made if equals else re.search(rf"^{name}:", made, re.MULTILINE), word
        if equals:
            assert f"\ndef {value}(" in (ROOT / "benchmarks" / "bench.py").read_text(encoding="utf-8"), word


def _can_be_installed(words: list[str]) -> None:
    """Require that what pip is given is this project, an extra of it, or something that it depends on."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert words[0] == "install"
    given = words[1:]
    if given[:2] == ["--torch-backend", "cpu"]:  # of uv
        given = given[2:]
    for word in takewhile(lambda word: not word.startswith("--"), given):
        found = re.fullmatch(r"(?P<name>\.|[a-z]+)(?:\[(?P<extras>[a-z,]+)\])?", word)
        assert found, word
        if found["extras"]:
            assert set(found["extras"].split(",")) <= set(stated["optional-dependencies"])
        depended_on = {re.split(r"[><=]", one)[0] for one in stated["dependencies"]}
        assert found["name"] in {".", "cxpath", "uv", *depended_on}, word


def _is_environment(words: list[str]) -> None:
    text = (ROOT / "scripts/recipes/install/environment.yml").read_text(encoding="utf-8")
    if words[0] == "activate":
        assert re.search(rf"^name: {words[1]}$", text, re.MULTILINE)
    else:
        assert words == ["env", "create", "--file", "scripts/recipes/install/environment.yml"]


def _is_dask(words: list[str]) -> None:
    called = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}[words[0]]
    called.make_context("dask", words[1:])


PARSERS: dict[str, Callable[[list[str]], None]] = {
    "conda": _is_environment,
    "cxpath": _is_command,
    "dask": _is_dask,
    "make": _is_target,
    "pip": _can_be_installed,
    "uv": lambda words: _can_be_installed(words[1:]),
}


# Examples in Python.

EXAMPLES = [
    block for block in shown("python") if not any(f"import {name}" in block.text for name in OTHER_SOFTWARE)
]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.where)
def test_a_documented_example_runs(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    mpl.use("Agg")
    shutil.rmtree(folder / "out" / "slide", ignore_errors=True)
    exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})


# Files, outputs and diagrams, each read by what reads such a file.


def _written(text: str, path: Path) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _configuration(text: str, folder: Path) -> None:
    changed = load_configuration(_written(text, folder / "ours.toml")).regions
    assert "Nekrose" in changed.necrosis
    assert changed != load_configuration().regions


def _class_map_of_cells(text: str, folder: Path) -> None:
    assert len(read_cell_classes(_written(text, folder / "ours.toml")).cells) == 4


def _class_map_of_annotations(text: str, folder: Path) -> None:
    assert len(read_class_map(_written(text, folder / "ours.toml")).cells) == 4


def _settings_of_fine_tuning(text: str, folder: Path) -> None:
    """The values are settings, and the defaults that the remarks state are the defaults."""
    changed, usual = read_fine_tune_settings(_written(text, folder / "tune.toml")), FineTuneSettings()
    assert (changed.synthetic_share, changed.schedule.steps) != (usual.synthetic_share, usual.schedule.steps)
    stated = re.findall(r"default ([\d.]+)$", text, re.MULTILINE)
    assert [float(one) for one in stated] == [usual.synthetic_share, usual.schedule.steps]


def _profile(text: str, folder: Path) -> None:
    assert profile_from(tomllib.loads(text)).pdl1[0].confirmed_by == "Dr A. Example"


def _criterion(text: str, folder: Path) -> None:
    folder.joinpath("criteria").mkdir()
    shutil.copy(ROOT / "configs/therapy/cautions.toml", folder / "criteria")
    _written(text, folder / "criteria" / "us.toml")
    assert lint_files([folder / "criteria"], date(2026, 12, 1)) == []
    (shown,) = tomllib.loads(text)["criterion"]
    shipped = tomllib.loads((ROOT / "configs/therapy/us.toml").read_text(encoding="utf-8"))["criterion"]
    assert shown in [{key: one[key] for key in one if key != "notes"} for one in shipped]


def _assay(text: str, folder: Path) -> None:
    shown, shipped = (tomllib.loads(one) for one in (text, (ROOT / "configs/assays/22c3.toml").read_text()))
    Assay.model_validate(shown)
    assert set(shipped) - {"conditions"} == set(shown)


def _csv_of_cells(text: str, folder: Path) -> None:
    path = _written(text, folder / "cells.csv")
    given = read_given_cells(path, replace(slide_info(), width_px=20_000, height_px=20_000), CLASSES, 0.5)
    assert given.cells.stained.tolist() == pytest.approx([0.93, 0.12])


def _pairs_of_files(text: str, folder: Path) -> None:
    first, *rows = text.splitlines()
    (folder / first).mkdir()
    for name in " ".join(rows).split():
        (folder / first / name).touch()
    pairs, alone = find_pairs(folder / first)
    assert (len(pairs), alone) == (len(rows), [])


def _table_of_fine_tuning(text: str, folder: Path) -> None:
    """The rows are those that the program prints, in its columns; the numbers are of one run."""
    model, measured, _, *rows = text.splitlines()
    assert re.fullmatch(r"model    models/ours  [0-9a-f]{12}", model)
    assert re.fullmatch(r"         measured on \d+ of \d+ annotated images, held out", measured)
    labels = [row[9:49].strip() for row in rows]
    assert labels == [*(one.label for one in FIGURES.values()), *SYNTHETIC_FIGURES.values()]
    assert {len(row) for row in rows} == {9 + 40 + 22 + 22 + 8}


def _layers(text: str, folder: Path) -> None:
    """The drawing of the packages has the layers that import-linter checks."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    drawn = [re.split(r"  +", line)[0].split(" | ") for line in text.splitlines()]
    names = [[one.strip().removeprefix("cxpath.") for one in layer.split("|")] for layer in layers]
    assert drawn == names


def _stages(text: str, folder: Path) -> None:
    for name in ("slide", "tissue", "network", "scores", "report"):
        assert name in text
        assert (ROOT / "src" / "cxpath" / name).is_dir()


def _change(text: str, folder: Path) -> None:
    """A change that a page proposes removes lines that are there, in files that are there or become new."""
    named = re.findall(r"^ (src/\S+) +\| +(\d+) [+-]+$", text, re.MULTILINE)
    assert named
    sources = [(ROOT / name).read_text(encoding="utf-8") for name, _ in named if (ROOT / name).exists()]
    assert sources
    for line in re.findall(r"^-(.*\S.*)$", text, re.MULTILINE):
        assert any(line in source for source in sources), line


CHECKS: dict[str, Callable[[str, Path], None]] = {
    "how-it-works.md text": _stages,
    "development.md text": _layers,
    "development.md diff": _change,
    "cells-from-elsewhere.md toml": _class_map_of_cells,
    "cells-from-elsewhere.md text": _csv_of_cells,
    "fine-tune.md text fields/": _pairs_of_files,
    "fine-tune.md text model": _table_of_fine_tuning,
    "fine-tune.md toml complete_areas": _class_map_of_annotations,
    "fine-tune.md toml synthetic_share": _settings_of_fine_tuning,
    "regions.md toml": _configuration,
    "therapy-criteria.md toml [[pdl1]]": _profile,
    "therapy-criteria.md toml [[criterion]]": _criterion,
    "assays.md toml": _assay,
}
"""By page, language and how the block begins, where a page has several."""


def check_of(block: Block) -> str:
    """Return the entry of `CHECKS` for a block."""
    key = f"{block.page.name} {block.language} {block.text}"
    found = [one for one in CHECKS if key.startswith(one)]
    assert found, f"{block.where}: nothing checks this block"
    return found[0]


OTHERS = [block for block in shown() if block.language not in {*CONSOLE, "python"}]


@pytest.mark.parametrize("block", OTHERS, ids=lambda block: block.where)
def test_a_shown_file_is_one_that_is_read(block: Block, tmp_path: Path) -> None:
    CHECKS[check_of(block)](block.text, tmp_path)


@pytest.mark.parametrize("block", shown(), ids=lambda block: block.where)
def test_a_block_is_not_wider_than_the_page(block: Block) -> None:
    widest = 105 if block.language == "text" else 90
    assert [line for line in block.text.splitlines() if len(line) > widest] == []


def test_every_check_is_used_and_every_block_says_its_language() -> None:
    assert {check_of(block) for block in OTHERS} == set(CHECKS)
    for page in PAGES:
        fences = re.findall(r"^ *```.*$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert [one for one in fences[::2] if not re.fullmatch(r" *```\w+", one)] == [], page
