from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scripts.conftest import RunScript

pytestmark = [pytest.mark.xdist_group("scripts"), pytest.mark.slow]


def test_the_worked_study_runs_from_init_to_the_methods_paragraph(
    run_script: RunScript, tmp_path: Path
) -> None:
    ended = run_script("reader_study.py", tmp_path / "worked", "4", "1024")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("24 of 24 reads")
    assert "3 readers took part; each read every slide. 4 slides were studied." in ended.stdout
    stated = json.loads((tmp_path / "worked" / "report" / "study.json").read_text(encoding="utf-8"))
    assert (stated["reads"], stated["readers"]) == (24, ["amber", "birch", "cedar"])
    assert stated["reference"] == "the reference of the study"
    assert (tmp_path / "worked" / "report" / "report.html").is_file()
