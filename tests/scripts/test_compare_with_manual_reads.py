from __future__ import annotations

from pathlib import Path

from cxpath.io.tables import write_rows
from tests.cli.scored_folders import scored_folder
from tests.scripts.conftest import RunScript
from tests.synthetic_cells import many


def test_the_recipe_leaves_a_study_and_prints_what_a_paper_quotes(
    run_script: RunScript, tmp_path: Path
) -> None:
    rows: list[list[str | float]] = []
    for number in range(6):
        scored_folder(tmp_path / "results" / f"c{number}", many({"T+": 8 * number, "T-": 200 - 8 * number}))
        rows += [[f"c{number}", reader, 4 * number + extra] for reader, extra in (("Ann", 0), ("Bob", 0.5))]
    write_rows(tmp_path / "reads.csv", ["case", "reader", "value"], rows)
    words = tmp_path / "reads.csv", tmp_path / "results", tmp_path / "study"
    ended = run_script("compare_with_manual_reads.py", *words)
    assert ended.returncode == 0, ended.stderr
    assert "Lin's CCC" in ended.stdout
    assert "non-inferiority at margin 0.05" in ended.stdout
    assert (tmp_path / "study" / "report.html").is_file()
