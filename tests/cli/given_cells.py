"""A block of cells that can be counted by hand, and every form in which a user may bring them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.io.cells import write_cells
from tests.cell_tables import write_cells_geojson

FACTS = CellTableFacts(mpp=0.25, width_px=4096, height_px=4096)
CLASSES = {Kind.TUMOUR: "Tumor", Kind.IMMUNE: "Immune cells", Kind.OTHER: "Other"}


def countable_cells() -> CellTable:
    """20 columns, 10 rows, 10 µm apart: 120 tumour (30 positive), 60 immune (18 positive), 20 other.

    CPS = 100 x (30 + 18) / 120 = 40; TPS = 25.
    """
    number = np.arange(200)
    kind = np.select([number % 10 < 6, number % 10 < 9], [Kind.TUMOUR, Kind.IMMUNE], Kind.OTHER)
    order = np.zeros(200, dtype=int)
    for of_kind in Kind:
        order[kind == of_kind] = np.arange((kind == of_kind).sum())
    positive = order < np.select([kind == Kind.TUMOUR, kind == Kind.IMMUNE], [30, 18], 0)
    return CellTable.from_columns(
        FACTS,
        x_px=1000.5 + 40 * (number % 20),
        y_px=1000.5 + 40 * (number // 20),
        kind=kind,
        stained=positive,
    )


def _class(cells: CellTable, row: int) -> list[str]:
    return [CLASSES[Kind(cells.kind[row])], "Positive" if cells.stained[row] else "Negative"]


def as_parquet(cells: CellTable, path: Path) -> None:
    write_cells(cells, path)


def as_csv(cells: CellTable, path: Path) -> None:
    rows = zip(cells.x_px, cells.y_px, cells.kind, cells.stained, strict=True)
    lines = [f"{x},{y},{Kind(kind).name.lower()},{stained:g}" for x, y, kind, stained in rows]
    path.write_text("\n".join(["x_px,y_px,kind,stained", *lines]))


def as_own_geojson(cells: CellTable, path: Path) -> None:
    write_cells_geojson([cells], path, cells.facts, (0, 0, 4096, 4096), stained_threshold=0.5)


def as_qupath_geojson(cells: CellTable, path: Path) -> None:
    """Cells with outline and nucleus, the nucleus on the cell's place."""
    features = [_qupath_cell(cells, row) for row in range(len(cells))]
    path.write_bytes(gzip.compress(json.dumps({"type": "FeatureCollection", "features": features}).encode()))


def _qupath_cell(cells: CellTable, row: int) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": f"7d1f2c1e-52f1-4c44-9a5e-{row:012d}",
        "geometry": _square(cells.x_px[row] + 2, cells.y_px[row], 16),
        "nucleusGeometry": _square(cells.x_px[row], cells.y_px[row], 8),
        "properties": {
            "objectType": "cell",
            "classification": {"names": _class(cells, row), "color": [200, 0, 0]},
            "measurements": {"Nucleus: Area µm^2": 4.0},
        },
    }


def _square(x: float, y: float, side: float) -> dict[str, Any]:
    low, high = -side / 2, side / 2
    corners = [(low, low), (high, low), (high, high), (low, high), (low, low)]
    return {"type": "Polygon", "coordinates": [[[x + right, y + down] for right, down in corners]]}


def as_qupath_table(cells: CellTable, path: Path) -> None:
    """As a German computer exports it: semicolons and decimal commas."""
    lines = [
        f"drawn.svs;Cell;{': '.join(_class(cells, row))};{cells.x_px[row] / 4:.3f};{cells.y_px[row] / 4:.3f}"
        for row in range(len(cells))
    ]
    text = "\n".join(["Image;Object type;Class;Centroid X µm;Centroid Y µm", *lines])
    path.write_text(text.replace(".", ",").replace("drawn,svs", "drawn.svs"))
