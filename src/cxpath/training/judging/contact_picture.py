"""Keeping a picture and its called cells beside a result, for a contact sheet that others draw."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file
from cxpath.training.judging.calls import Calls
from cxpath.values.settings import Settings

LARGEST_PX = 640
"""A larger picture is cut to its middle."""


class ContactPicture(Settings):
    """Where one picture of the contact sheet lies, relative to the evaluation's folder."""

    set_name: str
    title: str
    picture: str
    cells: str
    """JSON with `x_px`, `y_px`, `kind` and `positive` of each called cell."""
    mpp: float


def keep_picture(
    stem: Path, rgb: NDArray[np.uint8], calls: Calls, mpp: float, *, set_name: str, title: str
) -> ContactPicture:
    """Write the middle of a picture and its calls beside an item's result.

    Parameters
    ----------
    stem : Path
        The item's result file; its name with other endings is used.
    rgb : uint8 array, (H, W, 3)
    calls : Calls
    mpp : float
        Micrometres per pixel of `rgb`.
    set_name, title : str
    """
    height, width = rgb.shape[:2]
    top, left = max(0, (height - LARGEST_PX) // 2), max(0, (width - LARGEST_PX) // 2)
    cut = rgb[top : top + LARGEST_PX, left : left + LARGEST_PX]
    place = calls.points_um / mpp - np.array([left, top])
    inside = ((place >= 0) & (place < np.array([cut.shape[1], cut.shape[0]]))).all(axis=1)
    cells = {
        "x_px": np.round(place[inside, 0], 1).tolist(),
        "y_px": np.round(place[inside, 1], 1).tolist(),
        "kind": calls.kind[inside].tolist(),
        "positive": calls.positive[inside].tolist(),
    }
    picture_path, cells_path = stem.with_suffix(".png"), stem.with_suffix(".cells.json")
    _, stream = cv2.imencode(".png", np.ascontiguousarray(cut[..., ::-1]))
    with whole_file(picture_path) as partial:
        partial.write_bytes(stream.tobytes())
    with whole_file(cells_path) as partial:
        partial.write_text(json.dumps(cells), encoding="utf-8")
    folder = stem.parent.name
    return ContactPicture(
        set_name=set_name,
        title=title,
        picture=f"{folder}/{picture_path.name}",
        cells=f"{folder}/{cells_path.name}",
        mpp=mpp,
    )
