"""A results folder that appears whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from cxpath.exchange.whole_file import partial_path
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
"""Everything a run may leave, the mark of a whole result last; all else in the folder is the user's."""


class ResultsFolder:
    """Files are written to a hidden folder first; `commit` moves them to the final one.

    The hidden folder lies beside the final one, or inside where that exists: it may be a mounted volume.

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
        self.final = final.absolute()
        self._existed = self.final.is_dir()
        home = self.final if self._existed else self.final.parent
        self.partial = partial_path(home / self.final.name)
        if final.exists() and not self._existed:
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
        """Move the new files to their place; an earlier result is gone only when all of them are there."""
        try:
            if self._existed:
                self._exchange()
            else:
                self.partial.rename(self.final)
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)

    def _exchange(self) -> None:
        earlier = self.partial / "earlier"
        earlier.mkdir()
        try:
            _move(self.final, earlier)
            _move(self.partial, self.final)
        except BaseException:
            _move(self.final, self.partial)
            _move(earlier, self.final)
            raise

    def _refused(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        return OutputError(f"{self.final}: cannot be written: {reason}", "choose another --out")


def _move(source: Path, target: Path) -> None:
    """Move what a run leaves from one folder to another, as far as it is there, `score.json` last."""
    for name in OWN_NAMES:
        if (source / name).exists():
            (source / name).rename(target / name)
