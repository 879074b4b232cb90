from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from scripts.studies.check_extras import Installer, Result, run_step, size_of
from scripts.studies.extra_trials import ALL, BARE, OUTFIT, TRIALS, Step, extras, write_files
from tests.docs.pages import ROOT

HERE = Path(sys.executable).parents[1]


def test_every_extra_of_the_project_is_tried() -> None:
    assert set(TRIALS) == {BARE, *extras()}
    assert extras()[-1] == ALL
    assert all(TRIALS.values())


def test_without_an_extra_the_one_that_is_missing_is_named() -> None:
    for extra in set(extras()) - {ALL}:
        assert any(step.says == f"cxpath[{extra}]" for step in TRIALS[BARE]), extra


def test_every_extra_stands_in_the_page_on_installing() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert [extra for extra in extras() if f"| `{extra}` |" not in page] == []


def test_files_that_commands_name_are_written_or_left_by_an_earlier_command(tmp_path: Path) -> None:
    write_files(tmp_path)
    programs = {path.name for path in tmp_path.glob("*.py")}
    words = [step.words.split() for steps in TRIALS.values() for step in steps]
    assert {named for program, named, *_ in words if program == "python"} <= programs
    for path in tmp_path.glob("*.py"):
        compile(path.read_text(encoding="utf-8"), path.name, "exec")
    settings = {step.words.split()[4] for step in OUTFIT if "--config" in step.words}
    assert all((tmp_path / name).is_file() for name in settings if name.endswith(".toml"))


@pytest.mark.skipif(shutil.which("python", path=str(HERE / "bin")) is None, reason="no virtual environment")
@pytest.mark.parametrize(
    ("program", "step", "fault"),
    [
        ("print('all well')", Step("python a.py", "all well"), ""),
        ("print('well')", Step("python a.py", "all well"), "python a.py: does not say 'all well': well"),
        ("raise SystemExit('no such file')", Step("python a.py", "no such file", exits=(1, 2)), ""),
        ("raise SystemExit('no')", Step("python a.py"), "python a.py: exit 1: no"),
        ("", Step("python a.py", exits=(1,)), "python a.py: exit 0: nothing said"),
        (
            "1 / 0",
            Step("python a.py", exits=(1,)),
            "python a.py: traceback: ZeroDivisionError: division by zero",
        ),
        ("", Step("python a.py", leaves="out/*.txt"), "python a.py: left no out/*.txt"),
        ("open('b.txt', 'w')", Step("python a.py", leaves="b.*"), ""),
        ("", Step("no-such-program -v"), "no-such-program is not installed"),
    ],
)
def test_what_a_command_must_do(program: str, step: Step, fault: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(program, encoding="utf-8")
    assert run_step(step, HERE, tmp_path) == fault


def test_an_environment_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    wheel = tmp_path / "cxpath-0-py3-none-any.whl"
    wheel.write_bytes(b"no wheel")
    said = Installer(sys.executable, uv=False).install(wheel, "dicom", tmp_path / "environment")
    assert "install" in said
    assert "\n" not in said
    packages, mebibytes = size_of(tmp_path / "environment")
    assert packages <= 3
    assert 0 < mebibytes < 200


def test_a_row_names_what_failed() -> None:
    assert Result("dicom", 50, 1234, 5, ()).row == "| `dicom` | 50 | 1,234 | 5 | ok |"
    assert Result("", 50, 1, 1, ("a: exit 1", "b: exit 2")).row.endswith("| a: exit 1; b: exit 2 |")
