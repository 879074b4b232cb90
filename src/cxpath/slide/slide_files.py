"""Which files make up one slide: most formats are one file, some are a file and a folder or a series."""

from __future__ import annotations

from pathlib import Path

from cxpath.slide.dicom_series import series_instance_uid

_MACRO_KEY = "macroimage"


def files_of(path: Path, vendor: str = "") -> tuple[Path, ...]:
    """Return the files that belong to a slide, sorted; the opened one is among them.

    Parameters
    ----------
    path : Path
        The file the slide is opened by.
    vendor : str
        OpenSlide's vendor name.
    """
    if vendor == "mirax":
        folder = path.with_suffix("")
        return (path, *sorted(file for file in folder.rglob("*") if file.is_file()))
    if vendor == "dicom":
        return _series_of(path)
    if vendor == "hamamatsu" and path.suffix.lower() in {".vms", ".vmu"}:
        return (path, *_named_in(path))
    return (path,)


def _series_of(path: Path) -> tuple[Path, ...]:
    uid = series_instance_uid(path)
    if uid is None:
        return (path,)
    siblings = (file for file in path.parent.iterdir() if file.is_file() and file != path)
    return tuple(sorted([path, *(file for file in siblings if series_instance_uid(file) == uid)]))


def _named_in(index: Path) -> tuple[Path, ...]:
    """Return the existing siblings that an index file of `key=value` lines names, less the macro picture."""
    pairs = (line.partition("=") for line in index.read_text(errors="replace").splitlines())
    names = {value.strip() for key, _, value in pairs if not key.strip().lower().startswith(_MACRO_KEY)}
    found = (index.with_name(name) for name in names if name and "/" not in name and "\\" not in name)
    return tuple(sorted(file for file in found if file.is_file()))
