from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cxpath.io.cells import read_cells
from tests.scripts.conftest import RunScript

pytestmark = pytest.mark.xdist_group("scripts")


def test_its_sums_are_the_counts_of_the_score(
    run_script: RunScript, scored: tuple[Path, object], tmp_path: Path
) -> None:
    folder, table = scored[0], tmp_path / "cells.csv"
    ended = run_script("cells_to_table.py", folder, table)
    assert ended.returncode == 0, ended.stderr
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def total(kind: str, column: str) -> int:
        return sum(int(row[column]) for row in rows if row["kind"] == kind)

    counts = json.loads((folder / "score.json").read_text(encoding="utf-8"))["counts"]
    assert total("tumour", "positive") == counts["tumour_positive"]
    assert total("tumour", "cells") == counts["tumour_positive"] + counts["tumour_negative"]
    immune_positive = counts["immune_positive"] + counts["immune_positive_not_associated"]
    assert total("immune", "positive") == immune_positive
    assert total("immune", "cells") == immune_positive + counts["immune_negative"]
    assert total("other", "cells") == counts["other"]
    assert f"{len(read_cells(folder / 'cells.parquet'))} cells" in ended.stdout
    assert {row["subkind"] for row in rows if row["kind"] == "immune"} <= {"lymphocyte", "macrophage"}


def test_a_folder_without_cells_is_one_line(run_script: RunScript, tmp_path: Path) -> None:
    ended = run_script("cells_to_table.py", tmp_path, tmp_path / "cells.csv")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"{tmp_path / 'cells.parquet'}: no such file"]
    assert not (tmp_path / "cells.csv").exists()
