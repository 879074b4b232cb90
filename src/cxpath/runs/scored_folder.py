"""A results folder read back for further counting: its result, its settings, its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxpath.exchange.cells_parquet import read_cells
from cxpath.report.run_folder import RunFolderError, read_run_folder
from cxpath.scores.fields import FieldLattice
from cxpath.scores.score_cells import score_fields
from cxpath.scores.settings import ScoringSettings
from cxpath.values.cell_table import CellTable

PDL1 = "pdl1"


@dataclass(frozen=True)
class ScoredFolder:
    """What `cxpath score` left.

    Parameters
    ----------
    path : Path
    score : mapping
        `score.json`.
    """

    path: Path
    score: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The slide's name, as the run shows it."""
        return str(self.score["slide"]["name"])

    @property
    def scoring(self) -> ScoringSettings:
        """The settings of scoring that were in effect.

        Raises
        ------
        RunFolderError
            When an earlier cxpath left none.
        """
        try:
            return ScoringSettings.model_validate(self.score.get("scoring") or {"none": "stated"})
        except ValidationError as error:
            raise RunFolderError(
                f"{self.path / 'score.json'}: does not state the settings of its score under `scoring`",
                "score the slide again with this cxpath",
            ) from error

    def cells(self) -> CellTable:
        """Read `cells.parquet`."""
        return read_cells(self.path / "cells.parquet")

    def fields(self) -> FieldLattice:
        """Return the fields of the slide, counted as the score did."""
        return score_fields(self.cells(), self.scoring)


def read_scored_folder(path: Path) -> ScoredFolder:
    """Read a results folder; cells are read when asked for.

    Raises
    ------
    MissingFileError, RunFolderError
        When it is none, or holds the H-score of another marker.
    """
    score = read_run_folder(path).score
    if score.get("marker", PDL1) != PDL1:
        raise RunFolderError(
            f"{path}: holds marker {score['marker']}, not PD-L1", "give a folder scored for PD-L1"
        )
    return ScoredFolder(path, score)
