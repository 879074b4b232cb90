"""Results folders as `cxpath score` leaves them, made from cells drawn as text; no slide, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cxpath.data.cells import CellTable
from cxpath.documents.score import SlideScores
from cxpath.io.cells import write_cells
from cxpath.scores.score import score_cells
from cxpath.scores.settings import Cutoff, ScoringSettings
from tests.report.run_folders import RUN, normal_score

CUTOFFS = (Cutoff(1.0, "label"), Cutoff(10.0, "trial stratum, not a label"))


def scored_folder(folder: Path, cells: CellTable, **changes: Any) -> Path:
    """Write the files of a result; `changes` replace keys of `score.json`, inside objects too."""
    settings = ScoringSettings(stained_threshold=0.5)
    folder.mkdir(parents=True)
    scores = SlideScores.of_score(score_cells(cells, settings, CUTOFFS))
    score = normal_score() | scores.model_dump(mode="json")
    score["scoring"] = settings.model_dump(mode="json")
    score["slide"] |= {"name": f"{folder.name}.svs", "digest": folder.name, "mpp": cells.facts.mpp}
    for key, value in changes.items():
        inner = isinstance(value, dict) and isinstance(score[key], dict)
        score[key] = score[key] | value if inner else value
    (folder / "score.json").write_text(json.dumps(score), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
    write_cells(cells, folder / "cells.parquet")
    return folder
