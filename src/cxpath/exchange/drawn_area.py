"""DrawnArea: one outline as a drawing tool left it, and how its outline is made fit for use.

Knows no file form and no meaning of a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cxpath.values.errors import RegionsFileError

AGAIN = "correct it in the drawing tool and export the annotations again"

Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class DrawnArea:
    """One annotation.

    Parameters
    ----------
    where : str
        Which annotation of the file it is, for messages: "annotation 3 (Necrosis)".
    class_name : str
        As the tool writes it; `UNCLASSIFIED` without one.
    shape : Polygon or MultiPolygon
        Valid, with its holes, in level-0 pixels.
    negative : bool
        Drawn to be cut out of the areas of its class.
    warnings : tuple of str
        What had to be repaired.
    """

    where: str
    class_name: str
    shape: Polygon | MultiPolygon
    negative: bool = False
    warnings: tuple[str, ...] = ()


def drawn_area(
    outline: BaseGeometry, class_name: str, where: str, file: object, *, negative: bool = False
) -> DrawnArea:
    """Check an outline and repair one that crosses or touches itself.

    Raises
    ------
    RegionsFileError
        When it has no area, or coordinates that are no pixels: what was meant cannot be known.
    """
    if outline.is_empty:
        raise RegionsFileError(f"{file}: {where} is empty", AGAIN)
    if not (np.abs(shapely.get_coordinates(outline)) < 1e9).all():  # bounds would pass over NaN
        raise RegionsFileError(f"{file}: {where} has coordinates that are no pixels", AGAIN)
    repaired = outline
    if not outline.is_valid:
        repaired = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    if not isinstance(repaired, Polygon | MultiPolygon) or repaired.area <= 0:
        raise RegionsFileError(f"{file}: {where} has no area", AGAIN)
    said = f"{where}: its outline crosses or touches itself and was repaired"
    return DrawnArea(where, class_name, repaired, negative, () if repaired is outline else (said,))


def closed_outline(points: Ring, where: str, file: object) -> Polygon:
    """Return the polygon through points in order.

    Raises
    ------
    RegionsFileError
        With fewer than three points.
    """
    if len(points) < 3:
        raise RegionsFileError(f"{file}: {where} has {len(points)} points, which enclose nothing", AGAIN)
    try:
        return Polygon(points)
    except (ShapelyError, ValueError) as error:
        raise RegionsFileError(f"{file}: {where} is no polygon: {error}", AGAIN) from error


def coordinate(text: str | None, where: str, file: object) -> float:
    """Read one coordinate; a decimal comma is understood.

    Raises
    ------
    RegionsFileError
        When it is missing or no number.
    """
    try:
        number = float((text or "").strip().replace(",", "."))
    except ValueError:
        number = nan
    if not isfinite(number):
        raise RegionsFileError(f"{file}: {where}: {text!r} is no coordinate", AGAIN)
    return number
