from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cxpath.scores.counts import printed_interval
from cxpath.synth.slide import SlideTruth
from tests.scripts.conftest import RunScript

pytestmark = pytest.mark.xdist_group("scripts")
Scored = tuple[Path, subprocess.CompletedProcess[str]]


def test_it_prints_what_the_result_file_says(scored: Scored) -> None:
    folder, ended = scored
    assert ended.returncode == 0, ended.stderr
    score = json.loads((folder / "score.json").read_text(encoding="utf-8"))
    cps, counts, lines = score["cps"], score["counts"], ended.stdout.splitlines()
    assert lines[0] == f"CPS {cps['reported']}"
    for line, name in zip(lines[1:3], ("interval_slide", "interval_tissue"), strict=True):
        assert line.endswith(f": {printed_interval(*cps[name])}")
    assert lines[3] == (
        f"tumour cells: {counts['tumour_positive']} positive, {counts['tumour_negative']} negative"
    )
    assert lines[4] == f"lymphocytes and macrophages: {counts['immune_positive']} positive and counted"
    assert lines[5] == f"report: {folder / 'report.html'}"


def test_it_finds_about_as_many_tumour_cells_as_were_drawn(
    scored: Scored, drawn: tuple[Path, SlideTruth]
) -> None:
    score = json.loads((scored[0] / "score.json").read_text(encoding="utf-8"))
    found = score["adequacy"]["viable_tumour_cells"]
    assert found == pytest.approx(drawn[1].tumour_cells, rel=0.5)


def test_a_missing_slide_is_one_line(run_script: RunScript, tmp_path: Path) -> None:
    ended = run_script("score_one_slide.py", tmp_path / "none.svs", tmp_path / "out")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"{tmp_path / 'none.svs'}: no such file (check the path)"]
    assert not (tmp_path / "out").exists()
