"""A results folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from cxpath.values.errors import OutputError

COMMIT_MARK = "score.json"
OWN_NAMES = (
    "cells.parquet",
    "tiles.parquet",
    "cells.geojson.gz",
    "tissue.png",
    "heatmap.png",
    "fields",
    "run.json",
    "report.html",
    COMMIT_MARK,
)
"""Everything a run may leave; `score.json` moves last, so that its presence means the rest is there."""


class ResultsFolder:
    """Files are written to a hidden folder beside the final one and moved by `commit`.

    Parameters
    ----------
    final : Path
        Where the results shall stand.
    overwrite : bool
        Replace an earlier result; files of other names stay.

    Raises
    ------
    OutputError
        When a result is already there, or the place cannot be written.
    """

    def __init__(self, final: Path, *, overwrite: bool) -> None:
        self.final = final
        self.partial = final.parent / f".{final.name}.{os.getpid()}.partial"
        if final.exists() and not final.is_dir():
            raise OutputError(f"{final}: is a file, not a folder", "choose another --out")
        if (final / COMMIT_MARK).exists() and not overwrite:
            raise OutputError(f"{final}: holds a result already", "pass --overwrite or choose another --out")

    def __enter__(self) -> Self:
        try:
            self.partial.mkdir(parents=True)
        except OSError as error:
            raise self._refused(error) from error
        return self

    def commit(self) -> None:
        """Move the new files to their final place, `score.json` last, and drop what an earlier run left."""
        try:
            if not self.final.exists():
                self.partial.rename(self.final)
                return
            for name in (COMMIT_MARK, *OWN_NAMES):
                _remove(self.final / name)
            for name in OWN_NAMES:
                if (self.partial / name).exists():
                    (self.partial / name).rename(self.final / name)
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)

    def _refused(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        return OutputError(f"{self.final}: cannot be written: {reason}", "choose another --out")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
