"""What a batch leaves beside its slides' folders: tables, page, database; can be made again at any time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cxpath.report.cohort.cohort_page import build_cohort_page
from cxpath.runs.batch.cohort_columns import Row
from cxpath.runs.batch.cohort_files import cohort_rows, write_tables
from cxpath.runs.batch.drift import Baseline, drift_charts
from cxpath.runs.batch.outcome import Outcome
from cxpath.runs.batch.saved_worklist import read_batch
from cxpath.runs.batch.slide_task import SlideTask
from cxpath.runs.batch.state_folder import StateFolder
from cxpath.runs.results_database.database import ResultsDatabase

DATABASE_NAME = "results.db"


def write_cohort(
    folder: Path,
    tasks: Sequence[SlideTask],
    outcomes: Sequence[Outcome],
    baseline: Baseline | None = None,
) -> list[Row]:
    """Write `cohort.csv`, `cohort.parquet` and `cohort.html`.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    tasks, outcomes : sequences of one length
    baseline : Baseline, optional
        What drift is judged against; the cohort itself when left out.

    Returns
    -------
    list of Row
        The cohort table.

    Raises
    ------
    OutputError
        When a file cannot be written.
    """
    rows = cohort_rows(tasks, outcomes)
    write_tables(folder, rows)
    build_cohort_page(folder, rows, drift_charts(rows, baseline))
    return rows


def fill_database(folder: Path, rows: Sequence[Row], url: str | None = None) -> None:
    """Put a cohort's rows into a database: `results.db` in its folder, or a shared one by its URL.

    Raises
    ------
    DatabaseError
        When it cannot be reached or written; the files hold all results.
    """
    with ResultsDatabase(url or sqlite_url(folder)) as results:
        results.replace_cohort(StateFolder(folder).key(), folder.absolute().name, rows)


def rebuild_cohort(folder: Path, baseline: Baseline | None = None, database: str | None = None) -> list[Row]:
    """Make tables, page and database of a batch that ran before, from its files alone.

    Raises
    ------
    MissingFileError
        When the folder holds no batch.
    """
    tasks, outcomes = read_batch(folder)
    rows = write_cohort(folder, tasks, outcomes, baseline)
    fill_database(folder, rows, database)
    return rows


def sqlite_url(folder: Path) -> str:
    """Return the URL of the batch's own database."""
    return f"sqlite:///{folder.absolute() / DATABASE_NAME}"
