"""Cells for QuPath: a gzipped GeoJSON FeatureCollection of point detections, written as the cells come.

QuPath reads classifications as a list of `names` and measurements as an object since 0.4. Ids must be UUIDs
or they are ignored; here they follow from the slide and the row, so that two exports agree.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.exchange.qupath_frame import Bounds, to_qupath_frame
from cxpath.exchange.whole_file import output_error, partial_path
from cxpath.values.cell_table import COLUMNS, CellTable, CellTableFacts, Kind

SCHEMA = "cxpath/cells-geojson/1"

CLASS_NAMES = {Kind.TUMOUR: "Tumor", Kind.IMMUNE: "Immune cells", Kind.OTHER: "Other"}
"""QuPath's own spelling of its default classes."""

COLOURS = {
    (Kind.TUMOUR, True): (213, 94, 0),
    (Kind.TUMOUR, False): (0, 114, 178),
    (Kind.IMMUNE, True): (230, 159, 0),
    (Kind.IMMUNE, False): (86, 180, 233),
    (Kind.OTHER, True): (120, 120, 120),
    (Kind.OTHER, False): (170, 170, 170),
}
"""Okabe & Ito's colour-blind-safe palette: oranges positive, blues negative."""

MEASUREMENTS = tuple(name for name, element in COLUMNS.items() if element is np.float32)

NAMESPACE = uuid.UUID("5b0c6f0e-6c1a-5f5c-9a55-1b7ba3a5f9b6")
_COMPRESSION = 1
"""zlib's quickest: a sixth larger than 4, in half the time, while the network wants the processor."""

_JSON: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}


class CellsGeojsonWriter:
    """Write cells table by table; a context manager. Nothing is left if its block ends in an error.

    Parameters
    ----------
    path : Path
        The file, by habit `cells.geojson.gz`.
    facts : CellTableFacts
        Of the slide; its digest makes the ids.
    bounds_px : tuple of int
        The scanned part of the slide: positions are written in QuPath's frame, that is, relative to it.
    stained_threshold : float
        A cell is Positive when its `stained` is at least this; a cell without the value is neither.
    """

    def __init__(
        self, path: Path, facts: CellTableFacts, bounds_px: Bounds, *, stained_threshold: float
    ) -> None:
        self._path, self._partial, self._facts = path, partial_path(path), facts
        self._bounds_px, self._threshold = bounds_px, stained_threshold
        self.number = 0
        try:
            self._raw = self._partial.open("wb")
        except OSError as error:
            raise output_error(path, error) from error
        # No name and no time in the gzip header: the same cells give the same bytes.
        gzipped = gzip.GzipFile("", "wb", _COMPRESSION, fileobj=self._raw, mtime=0)
        self._text = io.TextIOWrapper(io.BufferedWriter(gzipped, 1 << 20), encoding="utf-8")
        head = json.dumps(_frame(facts, bounds_px, stained_threshold), **_JSON)
        self._text.write(f'{{"type":"FeatureCollection","cxpath":{head},"features":[')

    def append(self, cells: CellTable) -> None:
        """Add cells of the same slide."""
        for feature in _features(cells, self.number, self._bounds_px, self._threshold):
            self._text.write(",\n" if self.number else "\n")
            self._text.write(feature)
            self.number += 1

    def close(self) -> None:
        """End the collection and give the file its name."""
        try:
            self._text.write("\n]}\n")
            self._text.close()
            self._raw.close()
            self._partial.replace(self._path)
        except OSError as error:
            self.discard()
            raise output_error(self._path, error) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        for stream in (self._text, self._raw):
            with suppress(OSError):  # a full disk must not hide the error that brought us here
                stream.close()
        self._partial.unlink(missing_ok=True)

    def __enter__(self) -> CellsGeojsonWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def write_cells_geojson(
    tables: Iterable[CellTable],
    path: Path,
    facts: CellTableFacts,
    bounds_px: Bounds,
    *,
    stained_threshold: float,
) -> int:
    """Write all tables and return the number of cells."""
    with CellsGeojsonWriter(path, facts, bounds_px, stained_threshold=stained_threshold) as writer:
        for cells in tables:
            writer.append(cells)
    return writer.number


def _frame(facts: CellTableFacts, bounds_px: Bounds, threshold: float) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "frame": "qupath",
        "frame_origin_px": list(bounds_px[:2]),
        "mpp": facts.mpp,
        "slide_digest": facts.slide_digest,
        "model_digest": facts.model_digest,
        "stained_threshold": threshold,
        "research_use": "For Research Use Only. Not for use in diagnostic procedures.",
    }


def _features(cells: CellTable, first: int, bounds_px: Bounds, threshold: float) -> Iterator[str]:
    x_px, y_px = to_qupath_frame(cells.x_px, cells.y_px, bounds_px)
    labels = [_label(kind, stained) for kind in Kind for stained in (None, False, True)]
    known = np.isfinite(cells.stained)
    stained_code = np.where(known, 1 + (cells.stained >= threshold), 0)
    codes = cells.kind.astype(np.int64) * 3 + stained_code
    ids = _identities(cells.facts.slide_digest, first)
    columns = zip(ids, codes.tolist(), x_px.tolist(), y_px.tolist(), _measurements(cells), strict=False)
    for identity, code, x, y, numbers in columns:
        yield (
            f'{{"type":"Feature","id":"{identity}","geometry":{{"type":"Point","coordinates":[{x:.2f},{y:.2f}]}},'
            f'"properties":{{"objectType":"detection","classification":{labels[code]},'
            f'"measurements":{{{numbers}}}}}}}'
        )


def _label(kind: Kind, stained: bool | None) -> str:  # noqa: FBT001
    sign = [] if stained is None else ["Positive" if stained else "Negative"]
    return json.dumps({"names": [CLASS_NAMES[kind], *sign], "color": COLOURS[kind, bool(stained)]}, **_JSON)


def _measurements(cells: CellTable) -> Iterator[str]:
    """Yield the measurements of each cell as JSON members; what is unknown is left out.

    One format string serves all cells when nothing is unknown, which is the rule and three times as fast.
    """
    columns = {name: getattr(cells, name) for name in MEASUREMENTS}
    codes = {"subkind_code": cells.subkind, "region_code": cells.region}
    if all(np.isfinite(array).all() for array in columns.values()):
        members = [f'"{name}":%{_form(name)}' for name in columns] + [f'"{name}":%d' for name in codes]
        template = ",".join(members)
        rows = zip(*(array.tolist() for array in (*columns.values(), *codes.values())), strict=True)
        yield from (template % row for row in rows)
    else:
        texts = [_members(name, array, _form(name)) for name, array in columns.items()]
        texts += [_members(name, array, "d") for name, array in codes.items()]
        yield from (",".join(filter(None, row)) for row in zip(*texts, strict=True))


def _form(name: str) -> str:
    """Return the number format of a measurement.

    `stained` keeps every digit of a float32, so that a cell read back is on the same side of a threshold and
    gives the same intervals; four digits do for the others.
    """
    return ".9g" if name == "stained" else ".4g"


def _members(name: str, array: NDArray[Any], form: str) -> list[str]:
    finite = np.isfinite(array).tolist()
    values = zip(array.tolist(), finite, strict=True)
    return [f'"{name}":{value:{form}}' if there else "" for value, there in values]


def _identities(slide_digest: str, first: int) -> Iterator[str]:
    """Yield uuid5(namespace, "digest/row") for row = first, first + 1, ...; quicker than the library's."""
    started = hashlib.sha1(NAMESPACE.bytes + f"{slide_digest}/".encode(), usedforsecurity=False)
    for row in count(first):
        hashed = started.copy()
        hashed.update(str(row).encode())
        digits = hashed.hexdigest()
        variant = "89ab"[int(digits[16], 16) & 3]
        yield f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
