"""Opening a slide file, whatever its format: OpenSlide first, then OME-TIFF, then plain pictures."""

from __future__ import annotations

import stat
from pathlib import Path

import openslide

from cxpath.errors import MissingFileError, UnreadableSlideError
from cxpath.slide.identity import shown_as
from cxpath.slide.openslide import open_with_openslide
from cxpath.slide.picture import open_picture, picture_kind
from cxpath.slide.pixels import Icc
from cxpath.slide.slide import Slide
from cxpath.slide.tiff import is_ome_tiff, open_ome_tiff, open_plain_tiff
from cxpath.slide.tiff_directories import odd_samples, orientation, tiff_damage, unspecified_samples

SLIDE_SUFFIXES = frozenset(
    {".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".dcm", ".tif", ".tiff"}
)
"""Of slide files, without plain pictures."""

_FORMATS = "cxpath reads SVS, NDPI, MRXS, SCN, BIF, DICOM, tiled TIFF, OME-TIFF, PNG and JPEG"


def open_slide(
    path: str | Path, mpp: float | None = None, *, name: str | None = None, icc: Icc = Icc.APPLY
) -> Slide:
    """Open a slide.

    Parameters
    ----------
    path : str or Path
        A whole-slide file (of a DICOM series, any one file) or a picture.
    mpp : float, optional
        Micrometres per level-0 pixel; wins over what the file says. A plain picture needs it.
    name : str, optional
        A name to show instead of the file's own, such as a pseudonym.
    icc : Icc
        Whether an embedded ICC profile is applied: colours are then sRGB.

    Returns
    -------
    Slide
        A context manager.

    Raises
    ------
    MissingFileError
        When there is no such file.
    UnreadableSlideError
        When it is a folder, empty, damaged, or no slide.
    ResolutionError
        When its µm per pixel are missing or absurd.
    """
    slide = _opened(Path(path), mpp, name)
    slide.manage_colour(Icc(icc))
    return slide


def _opened(path: Path, mpp: float | None, name: str | None) -> Slide:
    shown = shown_as(path, name)
    _refuse_non_files(path, shown)
    kind = _picture_kind(path, shown)
    vendor = openslide.OpenSlide.detect_format(path)
    if kind == "tiff":
        _refuse_damaged_tiff(path, shown)
        if vendor in {None, "generic-tiff"}:
            _refuse_turned(path, shown)
        if vendor in {None, "generic-tiff"} and unspecified_samples(path):
            vendor = None  # OpenSlide takes such samples for transparency
    if kind == "tiff" and vendor in {None, "generic-tiff"} and is_ome_tiff(path):
        return open_ome_tiff(path, mpp, name)
    if kind == "tiff" and vendor == "generic-tiff":
        _refuse_odd_samples(path, shown)
    if vendor is not None:
        return open_with_openslide(path, mpp, name)
    if kind == "tiff":
        return open_plain_tiff(path, mpp, name)
    if kind is not None:
        return open_picture(path, kind, mpp, name)
    raise UnreadableSlideError(f"{shown}: not a slide or a picture{_looks_like_text(path)}", _FORMATS)


def _refuse_damaged_tiff(path: Path, shown: str) -> None:
    damage = tiff_damage(path)
    if damage:
        raise UnreadableSlideError(
            f"{shown}: damaged: {damage}", "copy the file again from the scanner or the archive"
        )


def _refuse_turned(path: Path, shown: str) -> None:
    """Refuse a picture that is not stored upright: libraries turn it whole, tile by tile, or not at all."""
    lies = orientation(path)
    if 2 <= lies <= 8:
        raise UnreadableSlideError(
            f"{shown}: is stored turned or mirrored (TIFF orientation {lies})", "export it upright"
        )


def _refuse_odd_samples(path: Path, shown: str) -> None:
    samples = odd_samples(path)
    if samples:
        raise UnreadableSlideError(
            f"{shown}: not a picture of 8 bits a channel ({samples})",
            "cxpath reads brightfield pictures; save it as 8-bit RGB",
        )


def _refuse_non_files(path: Path, shown: str) -> None:
    try:
        state = path.stat()
    except (FileNotFoundError, ValueError) as error:  # ValueError: a NUL, or what no file name can contain
        raise MissingFileError(f"{shown}: no such file", "check the path") from error
    except OSError as error:
        raise _unreadable(shown, error) from error
    if stat.S_ISDIR(state.st_mode):
        hint = "name one slide file; for DICOM, any file of the series"
        raise UnreadableSlideError(f"{shown}: a folder, not a slide", hint)
    if not stat.S_ISREG(state.st_mode):
        raise UnreadableSlideError(f"{shown}: a device or pipe, not a slide", "name a slide file")
    if state.st_size == 0:
        raise UnreadableSlideError(f"{shown}: the file is empty", "copy it again")


def _picture_kind(path: Path, shown: str) -> str | None:
    try:
        with path.open("rb") as file:
            return picture_kind(file)
    except OSError as error:
        raise _unreadable(shown, error) from error


def _unreadable(shown: str, error: OSError) -> UnreadableSlideError:
    return UnreadableSlideError(
        f"{shown}: cannot be read: {error.strerror}", "check the path and its permissions"
    )


def _looks_like_text(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(512)
    printable = all(byte >= 32 or byte in b"\t\r\n" for byte in start)
    return "; it looks like a text file" if printable else ""
