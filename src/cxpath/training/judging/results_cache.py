"""What was already measured: one small file an item, so that an interrupted evaluation goes on.

An entry is found again only for the same model, decision, device precision, settings and content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxpath.exchange.whole_file import output_error, whole_file

_FOLDER = "items"
_SCHEMA = "cxpath/evaluation-item/1"


class ResultsCache:
    """Results by item, in a folder of the evaluation.

    Parameters
    ----------
    folder : Path
        The evaluation's folder; made when missing.
    basis : str
        Whatever else results depend on, as one text: the model's digest and decision, the device.
    """

    def __init__(self, folder: Path, basis: str) -> None:
        self._folder = folder / _FOLDER
        self._basis = basis
        self.computed = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self._folder, error) from error

    def path(self, item: str, content: str) -> Path:
        """Return where the result of an item lies, measured or not.

        Parameters
        ----------
        item : str
            A short readable name; becomes part of the file's name.
        content : str
            What this item's result depends on: digests of files, settings.
        """
        digest = hashlib.sha256("\n".join([_SCHEMA, self._basis, item, content]).encode()).hexdigest()
        return self._folder / f"{item}-{digest[:16]}.json"

    def known(self, item: str, content: str) -> dict[str, Any] | None:
        """Return an item's earlier result; None when there is none, or it is damaged."""
        try:
            found: dict[str, Any] = json.loads(self.path(item, content).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found

    def keep(self, item: str, content: str, result: dict[str, Any]) -> None:
        """Write an item's result, whole or not at all."""
        with whole_file(self.path(item, content)) as partial:
            partial.write_text(json.dumps(result), encoding="utf-8")
        self.computed += 1

    def result(self, item: str, content: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return an item's result, measured now only if it was not before."""
        found = self.known(item, content)
        if found is None:
            found = measure()
            self.keep(item, content, found)
        return found


def file_digest(*paths: Path) -> str:
    """Return one SHA-256 of the contents of some files."""
    together = hashlib.sha256()
    for path in paths:
        together.update(hashlib.sha256(path.read_bytes()).digest())
    return together.hexdigest()
