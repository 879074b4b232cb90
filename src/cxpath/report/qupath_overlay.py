"""What a result shows besides its cells, for QuPath: scored tissue, fields of the gallery, local scores.

One gzipped GeoJSON of annotations, made from the results folder alone. Positions are in QuPath's image, which
is cropped to the scanned bounds of a slide.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from cxpath.data import RESEARCH_USE
from cxpath.documents import FieldEntry, RunFolder
from cxpath.errors import DocumentError
from cxpath.io import Bounds, atomic_write, to_qupath_frame

OVERLAY_NAME = "overlay.geojson.gz"
OVERLAY_SCHEMA = "cxpath/qupath-overlay/1"

Feature = dict[str, Any]
Tiles = Mapping[str, NDArray[np.generic]]

_TISSUE = ("Scored tissue", (90, 90, 90))
_FIELD = ("Field", (0, 114, 178))
_LOCAL_CPS = (
    (0.0, "Local CPS 0", (190, 190, 190)),
    (1.0, "Local CPS below 1", (253, 208, 162)),
    (10.0, "Local CPS 1 to below 10", (253, 141, 60)),
    (float("inf"), "Local CPS 10 or more", (166, 54, 3)),
)
"""Class and colour of tiles whose local CPS is below the first number (at 0: equal to it)."""

_NAMESPACE = uuid.UUID("c4a1f0b4-6f5a-5d53-9a53-6b5d7e0a0c11")


def write_qupath_overlay(run: RunFolder, path: Path) -> int:
    """Write the overlay of a result and return its number of objects.

    Parameters
    ----------
    run : RunFolder
    path : Path
        Replaced as a whole; the same result gives the same bytes.

    Raises
    ------
    DocumentError
        When the result has no table of tiles.
    """
    features = list(overlay_features(run))
    document = {
        "type": "FeatureCollection",
        "cxpath": {
            "schema": OVERLAY_SCHEMA,
            "frame": "qupath",
            "frame_origin_px": list(run.run.slide.bounds_px[:2]),
            "slide_digest": run.score.slide.digest,
            "research_use": RESEARCH_USE,
        },
        "features": features,
    }
    content = json.dumps(document, separators=(",", ":")).encode("utf-8")
    with atomic_write(path) as partial:
        partial.write_bytes(gzip.compress(content, mtime=0))
    return len(features)


def overlay_features(run: RunFolder) -> Iterator[Feature]:
    """Yield the scored tissue, the fields and the tiles with tumour cells, in this order."""
    if run.tiles is None:
        raise DocumentError(f"{run.path}: no tiles.parquet", "score the slide again")
    bounds, digest = run.run.slide.bounds_px, run.score.slide.digest
    yield from _tissue(run.tiles, bounds, digest)
    yield from _fields(run.fields, run.score.slide.mpp, bounds, digest)
    yield from _local_scores(run.tiles, bounds, digest)


def _tissue(tiles: Tiles, bounds: Bounds, digest: str) -> Iterator[Feature]:
    """Yield the outline of all tiles that were read; to the tile, not to the tissue's edge."""
    read = np.asarray(tiles["excluded"]).astype(str) == ""
    if not read.any():
        return
    outline = shapely.union_all(_squares(tiles, read, bounds))
    yield _annotation(outline, _TISSUE, "scored tissue", f"{digest}/tissue", {})


def _fields(fields: Sequence[FieldEntry], mpp: float, bounds: Bounds, digest: str) -> Iterator[Feature]:
    for field in fields:
        left, top = to_qupath_frame(field.left_um / mpp, field.top_um / mpp, bounds)
        square = shapely.box(left, top, left + field.width_um / mpp, top + field.height_um / mpp)
        numbers = {} if field.local_cps is None else {"local CPS": field.local_cps}
        name = f"field {field.number}: {field.caption}"
        yield _annotation(square, _FIELD, name, f"{digest}/field/{field.number}", numbers)


def _local_scores(tiles: Tiles, bounds: Bounds, digest: str) -> Iterator[Feature]:
    positive, negative = (np.asarray(tiles[f"tumour_{sign}"], np.int64) for sign in ("positive", "negative"))
    tumour = positive + negative
    cps = np.asarray(tiles["cps"], dtype=np.float64)
    chosen = np.asarray((tumour > 0) & np.isfinite(cps))
    squares = _squares(tiles, chosen, bounds)
    rows = zip(np.flatnonzero(chosen).tolist(), squares, cps[chosen].tolist(), strict=True)
    for row, square, value in rows:
        numbers = {"local CPS": round(value, 3), "tumour cells": int(tumour[row])}
        yield _annotation(square, _class_of(value), None, f"{digest}/tile/{row}", numbers)


def _class_of(local_cps: float) -> tuple[str, tuple[int, int, int]]:
    """Return name and colour of a local CPS."""
    for below, name, colour in _LOCAL_CPS:
        if local_cps < below or local_cps == below == 0:
            return name, colour
    raise ValueError(f"a local CPS of {local_cps} has no class")


def _squares(tiles: Tiles, rows: NDArray[np.bool_], bounds: Bounds) -> NDArray[np.object_]:
    columns = (np.asarray(tiles[name], dtype=np.float64)[rows] for name in ("x_px", "y_px", "size_px"))
    x_px, y_px, side_px = columns
    left, top = to_qupath_frame(x_px, y_px, bounds)
    return np.asarray(shapely.box(left, top, left + side_px, top + side_px))


def _annotation(
    shape: BaseGeometry,
    classed: tuple[str, tuple[int, int, int]],
    name: str | None,
    identity: str,
    numbers: Mapping[str, float],
) -> Feature:
    properties: Feature = {
        "objectType": "annotation",
        "classification": {"name": classed[0], "color": list(classed[1])},
        "isLocked": True,
    }
    if name is not None:
        properties["name"] = name
    if numbers:
        properties["measurements"] = dict(numbers)
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, identity)),
        "geometry": mapping(shape),
        "properties": properties,
    }
