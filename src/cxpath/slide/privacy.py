"""What may leave a slide file: an allow-list of technical properties, and nothing that identifies a patient.

Label and macro images are not opened anywhere in this room. Names are replaced in `pseudonym.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cxpath.slide.pseudonym import pseudonym, pseudonym_key

__all__ = ["allowed_properties", "pseudonym", "pseudonym_key"]

_NUMBER = re.compile(r"\d{1,6}(\.\d{1,20})?([eE][-+]?\d{1,3})?")
_WORDS = re.compile(r"[A-Za-z][\w .,/+()-]{0,39}")
_LONG_DIGITS = re.compile(r"\d{5}")
_YES_NO = re.compile(r"0[01]|YES|NO")

_ALLOWED: dict[str, re.Pattern[str]] = {
    "openslide.vendor": _WORDS,
    "openslide.objective-power": _NUMBER,
    "openslide.level-count": _NUMBER,
    "openslide.mpp-x": _NUMBER,
    "openslide.mpp-y": _NUMBER,
    "openslide.icc-size": _NUMBER,
    "aperio.AppMag": _NUMBER,
    "aperio.MPP": _NUMBER,
    "hamamatsu.SourceLens": _NUMBER,
    "leica.device-model": _WORDS,
    "leica.objective": _NUMBER,
    "leica.aperture": _NUMBER,
    "leica.illumination-source": _WORDS,
    "mirax.GENERAL.OBJECTIVE_MAGNIFICATION": _NUMBER,
    "philips.DICOM_MANUFACTURER": _WORDS,
    "philips.DICOM_LOSSY_IMAGE_COMPRESSION": _YES_NO,
    "ventana.Magnification": _NUMBER,
    "dicom.Manufacturer": _WORDS,
    "dicom.ManufacturerModelName": _WORDS,
    "dicom.LossyImageCompression": _YES_NO,
    "tiff.Make": _WORDS,
    "tiff.Model": _WORDS,
    "tiff.XResolution": _NUMBER,
    "tiff.YResolution": _NUMBER,
    "tiff.ResolutionUnit": _WORDS,
}
"""Property to the only form its value may have: free text in a technical field stays inside."""

_COMPRESSION = re.compile(r"\b(?:JPEG|J2K)(?:/[A-Za-z0-9]{2,12})?(?: Q=\d{1,3})?(?![\w/])")


def allowed_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that may leave, and `compression` as the scanner's description names it.

    Parameters
    ----------
    properties : mapping of str to str
        All properties of the file, as OpenSlide reports them.
    """
    allowed = {name: properties[name] for name in _ALLOWED if _may_leave(name, properties.get(name))}
    compression = _COMPRESSION.search(properties.get("tiff.ImageDescription", ""))
    return {**allowed, "compression": compression.group()} if compression else allowed


def _may_leave(name: str, value: str | None) -> bool:
    if value is None or not _ALLOWED[name].fullmatch(value):
        return False
    # five digits in a row among words are a serial number, a date or a case number
    return _ALLOWED[name] is not _WORDS or not _LONG_DIGITS.search(value)
