"""SlideInfo: what is known of a slide file once it is open, and nothing that identifies a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SlideInfo:
    """Facts of one slide.

    Parameters
    ----------
    name : str
        File name with suffix, or its pseudonym.
    stem : str
        The name without suffix; the default name of the results folder.
    digest : str
        SHA-256 of the file, hexadecimal.
    quickhash : str
        OpenSlide's quickhash-1, or empty.
    width_px, height_px : int
        Level-0 size.
    mpp : float
        Micrometres per level-0 pixel, mean of x and y.
    mpp_source : str
        Where that number came from: "user", "openslide.mpp-x", "tiff.XResolution", "ome.PhysicalSizeX", ...
    reader : str
        "openslide", "picture" or "ome-tiff".
    vendor : str
        OpenSlide's vendor name, or the picture format.
    level_downsamples : tuple of float
        Downsample factor of each stored level; the first is 1.
    bounds_px : tuple of int
        x, y, width, height of the scanned part in level-0 pixels (QuPath's frame); else the whole slide.
    properties : mapping of str to str
        Allow-listed properties only (objective power, scanner model, compression ...): never user,
        date, barcode or file name.
    """

    name: str
    stem: str
    digest: str
    quickhash: str
    width_px: int
    height_px: int
    mpp: float
    mpp_source: str
    reader: str
    vendor: str
    level_downsamples: tuple[float, ...]
    bounds_px: tuple[int, int, int, int]
    properties: Mapping[str, str] = field(default_factory=dict)
