from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scripts.studies.check_platforms import KNOWN_GAPS, PYTHONS, SYSTEMS, Resolution, missing_in, resolve
from tests.docs.pages import ROOT

NO_WHEEL = """error: No solution found when resolving dependencies
  cause: Because torch>=2.11.0 has no wheels with a matching platform tag (e.g.,
         `macosx_13_0_x86_64`) and cxpath depends on torch>=2.11, we can conclude that ...
"""


def test_every_python_that_is_promised_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = [one.rsplit(" ", 1)[1] for one in project["classifiers"] if "Python :: 3." in one]
    assert tuple(promised) == PYTHONS


def test_the_page_on_installing_tells_of_every_known_gap() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for system, package in KNOWN_GAPS:
        assert system in SYSTEMS
        assert package in page
        assert system.rsplit(", ", 1)[1] in page


def test_the_package_without_a_wheel_is_named() -> None:
    assert missing_in(NO_WHEEL) == "torch"
    assert missing_in("error: no network\n") == "error: no network"
    assert missing_in("") == "nothing said"


def test_only_a_gap_that_nobody_knows_of_is_new() -> None:
    assert not Resolution("Windows", "3.11", "", 50, "").is_new
    assert not Resolution("macOS, Intel", "3.11", "", 0, "torch").is_new
    assert Resolution("Windows", "3.11", "", 0, "torch").is_new
    assert (
        Resolution("Windows", "3.11", "all", 0, "torch").row == "| Windows | 3.11 | all | no wheel of torch |"
    )
    assert Resolution("Windows", "3.12", "", 50, "").row == "| Windows | 3.12 | none | 50 |"


@pytest.mark.parametrize(
    ("returncode", "stdout", "stderr", "found"),
    [(0, "# one\nnumpy==2.4\n    # via x\nscipy==1.17\n", "", (2, "")), (1, "", NO_WHEEL, (0, "torch"))],
)
def test_what_uv_says_is_counted(
    returncode: int, stdout: str, stderr: str, found: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run(words: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        asked.extend([*words, how["input"]])
        return subprocess.CompletedProcess(words, returncode, stdout, stderr)

    monkeypatch.setattr(subprocess, "run", run)
    one = resolve(Path("a.whl"), "Windows", "3.12", "all")
    assert (one.packages, one.missing) == found
    assert "x86_64-pc-windows-msvc" in asked
    assert asked[-1].startswith("cxpath[all] @ file://")
