"""Regions drawn in a review as a file that QuPath and `cxpath score --regions` read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from cxpath.io import Bounds, atomic_write, folder_for, to_qupath_frame
from cxpath.review import ReviewState, regions_of

REGIONS = "regions.geojson"

_QUPATH_CLASSES = {"include": "Region", "exclude": "Exclude", "not invasive tumour": "Not invasive tumour"}
"""Class that says in QuPath what a region is for, as the default table of region classes reads it."""


def regions_geojson(state: ReviewState, bounds_px: Bounds) -> dict[str, Any]:
    """Return the regions of a review as QuPath's annotations, in QuPath's frame.

    Parameters
    ----------
    state : ReviewState
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.
    """
    shift = np.array(to_qupath_frame(0.0, 0.0, bounds_px))
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(shapely.transform(region.shape, lambda xy: xy + shift)),
            "properties": {
                "objectType": "annotation",
                "classification": {"name": _QUPATH_CLASSES[region.name]},
            },
        }
        for region in regions_of(state).areas
    ]
    return {"type": "FeatureCollection", "features": features}


def write_regions(folder: Path, state: ReviewState, bounds_px: Bounds) -> Path | None:
    """Write `regions.geojson` of a review, or remove it where no region holds; returns its path."""
    path = folder_for(folder) / REGIONS
    if not state.regions:
        path.unlink(missing_ok=True)
        return None
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(regions_geojson(state, bounds_px)), encoding="utf-8")
    return path
