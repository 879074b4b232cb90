"""Pictures whose truth is known, written as a lab would leave them: an image file and QuPath's GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from cxpath.data.cells import Kind
from cxpath.synth.field import SyntheticCells, SyntheticField

NAMES = {Kind.TUMOUR: "Tumor", Kind.IMMUNE: "Immune cells", Kind.OTHER: "Other"}


def point(x: float, y: float, name: str | None) -> dict[str, Any]:
    return feature({"type": "Point", "coordinates": [x, y]}, name)


def rectangle(left: float, top: float, right: float, bottom: float, name: str | None) -> dict[str, Any]:
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return feature({"type": "Polygon", "coordinates": [ring]}, name)


def feature(geometry: dict[str, Any], name: str | None, kind: str = "annotation") -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": kind, "isLocked": False}
    if name is not None:
        properties["classification"] = {"names": name.split(": "), "color": [200, 0, 0]}
    return {"type": "Feature", "id": "x", "geometry": geometry, "properties": properties}


def write_geojson(path: Path, features: Iterable[dict[str, Any]]) -> Path:
    document = {"type": "FeatureCollection", "features": list(features)}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_png(path: Path, rgb: NDArray[np.uint8]) -> Path:
    assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))
    return path


def write_tiff(path: Path, rgb: NDArray[np.uint8], mpp: float) -> Path:
    per_cm = 1e4 / mpp
    tifffile.imwrite(path, rgb, photometric="rgb", resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    return path


def cell_points(cells: SyntheticCells, scale: float = 1.0) -> list[dict[str, Any]]:
    """Every cell as a point of its kind and stain."""
    rows = zip(cells.x_px, cells.y_px, cells.kind, cells.positive, strict=True)
    return [
        point(x * scale, y * scale, f"{NAMES[Kind(kind)]}: {'Positive' if positive else 'Negative'}")
        for x, y, kind, positive in rows
    ]


def write_annotated(folder: Path, stem: str, field: SyntheticField) -> None:
    """A field as TIFF that says its µm/px, all of its cells marked in one box around them all."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = field.rgb.shape[:2]
    write_tiff(folder / f"{stem}.tif", field.rgb, field.mpp)
    box = rectangle(0, 0, width, height, "Annotated region")
    write_geojson(folder / f"{stem}.geojson", [box, *cell_points(field.cells)])
