"""Class names of cells in other programs, and what they mean here."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from cxpath.data import (
    COLUMNS,
    IMMUNE_SUBKINDS,
    CellTable,
    CellTableFacts,
    Kind,
    Settings,
    Subkind,
    TissueRegion,
    bundled,
    read_settings,
)
from cxpath.errors import CellsFileError
from cxpath.io.geojson import plain, refuse_repeats

# What the class names of cells from elsewhere mean, read from a small TOML; unknown keys are errors.


MEASURED = tuple(
    name for name, element in COLUMNS.items() if element().dtype.kind == "f" and "_px" not in name
)
"""Columns of cells with measured numbers."""

_HINT = "see configs/cells/qupath.toml"


class CellMeaning(Settings):
    """What a cell of one class is."""

    kind: Literal["tumour", "immune", "other"]
    """`immune` means lymphocyte or macrophage, nothing else; plasma cells and granulocytes are `other`."""
    subkind: str = "unknown"
    """The finer name: `lymphocyte`, `macrophage`, `plasma`, `neutrophil`, ...; none for tumour cells."""
    stained: bool | None = None
    """PD-L1 positive by the rule of its kind; left out: a measurement `stained` must say it."""

    @model_validator(mode="after")
    def _subkind_of_kind(self) -> Self:
        names = [member.name.lower() for member in Subkind]
        if self.subkind not in names:
            raise ValueError(f"{self.subkind!r} is not a subkind; use one of {', '.join(names)}")
        if not fits(self.kind_code, self.subkind_code):
            raise ValueError(f"{self.subkind!r} cells are not of kind {self.kind!r}")
        return self

    @property
    def kind_code(self) -> Kind:
        """The kind as a CellTable contains it."""
        return Kind[self.kind.upper()]

    @property
    def subkind_code(self) -> Subkind:
        """The subkind as a CellTable contains it."""
        return Subkind[self.subkind.upper()]


class CellClasses(Settings):
    """A class map of cells. Names match whatever their case and QuPath's trailing star."""

    ignored: tuple[str, ...] = ()
    """Classes whose objects are not cells to count."""
    cells: dict[str, CellMeaning] = Field(min_length=1)
    """What the cells of each class are."""
    measurements: dict[str, str] = Field(default_factory=dict)
    """Column of the cell table = name of the measurement that fills it."""

    @field_validator("measurements")
    @classmethod
    def _known_columns(cls, measurements: dict[str, str]) -> dict[str, str]:
        for name in measurements:
            if name not in MEASURED:
                raise ValueError(f"{name!r} is not a measured column; use one of {', '.join(MEASURED)}")
        return measurements

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        refuse_repeats((*self.cells, *self.ignored))
        return self

    def ignoring(self, names: Iterable[str]) -> CellClasses:
        """Return the map with these classes ignored, whatever they meant before."""
        ignored = {plain(name): name for name in names}
        cells = {name: meaning for name, meaning in self.cells.items() if plain(name) not in ignored}
        others = (name for name in self.ignored if plain(name) not in ignored)
        return self.model_copy(update={"cells": cells, "ignored": (*others, *ignored.values())})

    def measurement(self, column: str) -> str:
        """Return the name of the measurement that fills a column: its own unless the map says otherwise."""
        return self.measurements.get(column, column)


def fits(kind: int, subkind: int) -> bool:
    """Say whether cells of a subkind can be of a kind."""
    if subkind == Subkind.UNKNOWN:
        return True
    return kind == (Kind.IMMUNE if subkind in IMMUNE_SUBKINDS else Kind.OTHER)


def default_cell_classes() -> Path:
    """Return the path of the map that travels with cxpath."""
    return bundled("configs") / "cells" / "qupath.toml"


def read_cell_classes(path: Path) -> CellClasses:
    """Read a class map of cells.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigurationError
        When it is no TOML, a key is unknown, a value is not allowed or a class has two meanings.
    """
    return read_settings(CellClasses, path, _HINT)


# Cells that a class name describes, turned into a CellTable. Knows classes, not file forms.
#
# A class that a person gave wins over a measurement that contradicts it: whoever corrected a cell in QuPath
# changed its class, not the numbers next to it.


Floats = NDArray[np.float64]

SUBKIND_CODE, REGION_CODE, TILE = "subkind_code", "region_code", "tile"
NOT_MEASURED = (SUBKIND_CODE, REGION_CODE, TILE)
"""Whole numbers that cxpath's own files carry among the measurements of a cell."""

PROBABILITIES = ("p_tumour", "p_immune", "p_other")

_TIE = 2e-3
"""Probabilities may have been written with four digits, so that two equal ones come back apart."""


@dataclass(frozen=True, eq=False)
class ClassifiedCells:
    """Cells of a foreign file.

    Parameters
    ----------
    x_px, y_px : float64 array, (N,)
        Level-0 pixels of the slide file.
    class_code : int64 array, (N,)
        Index into `class_names`.
    class_names : tuple of str
    measured : mapping of str to float64 array, (N,)
        By column of the cell table, and `NOT_MEASURED`; NaN where unknown.
    stained_threshold : float or None
        The threshold that Positive and Negative in this file were made with, where it says so.
    slide_digest : str
        Of the slide that the file says it is of, or empty.
    remark : str
        What else the file says of cells without a class, for the message that refuses them.
    own : bool
        Whether cxpath wrote the file: what is left out in it is unknown, not certain by its class.
    """

    x_px: Floats
    y_px: Floats
    class_code: NDArray[np.int64]
    class_names: tuple[str, ...]
    measured: Mapping[str, Floats] = field(default_factory=dict)
    stained_threshold: float | None = None
    slide_digest: str = ""
    remark: str = ""
    own: bool = False


def to_cell_table(
    found: ClassifiedCells,
    facts: CellTableFacts,
    classes: CellClasses,
    stained_threshold: float,
    file: object,
) -> CellTable:
    """Give every cell its kind, subkind and staining.

    Parameters
    ----------
    found : ClassifiedCells
    facts : CellTableFacts
    classes : CellClasses
    stained_threshold : float
        From which a measured `stained` is positive, for files that do not say their own.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When a class has no meaning; all such classes are named with their counts.
    """
    meanings = _meanings(found, classes, file)
    ignored = np.array([meaning is None for meaning in meanings], dtype=bool)
    kept = ~ignored[found.class_code] if len(ignored) else np.ones(0, dtype=bool)
    code = found.class_code[kept]
    known = [meaning or CellMeaning(kind="other") for meaning in meanings]
    kind = np.array([meaning.kind_code for meaning in known], np.uint8)[code]
    subkind = np.array([meaning.subkind_code for meaning in known], np.uint8)[code]
    stated = np.array([_number(meaning.stained) for meaning in known], np.float64)[code]
    measured = {name: values[kept] for name, values in found.measured.items()}
    columns = {
        name: values for name, values in measured.items() if name not in NOT_MEASURED
    } | _probabilities(kind, measured, known_by_class=not found.own)
    threshold = stained_threshold if found.stained_threshold is None else found.stained_threshold
    columns["stained"] = _stained(stated, measured.get("stained"), threshold)
    return CellTable.from_columns(
        facts,
        **columns,
        x_px=found.x_px[kept],
        y_px=found.y_px[kept],
        kind=kind,
        subkind=_subkind(kind, subkind, measured.get(SUBKIND_CODE)),
        region=_codes(measured.get(REGION_CODE), len(TissueRegion), len(kind)),
        tile=_tiles(measured.get(TILE), len(kind)),
    )


def ignored_cells(found: ClassifiedCells, classes: CellClasses) -> list[str]:
    """Say how many cells were left out because their class is not to be counted."""
    ignored = {plain(name) for name in classes.ignored}
    numbers = np.bincount(found.class_code, minlength=len(found.class_names)).tolist()
    counted = [
        f"{name!r} ({number})"
        for name, number in zip(found.class_names, numbers, strict=True)
        if number and plain(name) in ignored
    ]
    return [f"cells of classes to ignore were left out: {', '.join(sorted(counted))}"] if counted else []


def _meanings(found: ClassifiedCells, classes: CellClasses, file: object) -> list[CellMeaning | None]:
    """Return what each class means, None for an ignored one."""
    meaning_of = {plain(name): meaning for name, meaning in classes.cells.items()}
    ignored = {plain(name) for name in classes.ignored}
    numbers = np.bincount(found.class_code, minlength=len(found.class_names))
    unknown = [
        f"{name!r} ({number})"
        for name, number in zip(found.class_names, numbers.tolist(), strict=True)
        if number and plain(name) not in meaning_of and plain(name) not in ignored
    ]
    if unknown:
        remark = f"; {found.remark}" if found.remark else ""
        raise CellsFileError(
            f"{file}: cells of unknown classes: {', '.join(sorted(unknown))}{remark}",
            "say what they are in a class map (--class-map FILE; copy configs/cells/qupath.toml), "
            "or leave them out (--ignore-class NAME)",
        )
    return [meaning_of.get(plain(name)) for name in found.class_names]


def _number(stained: bool | None) -> float:  # noqa: FBT001  # three-valued, not a switch
    return float("nan") if stained is None else float(stained)


def _stained(stated: Floats, measured: Floats | None, threshold: float) -> NDArray[np.float32]:
    """Return the measured probability unless the class says otherwise."""
    stated_32 = stated.astype(np.float32)
    if measured is None:
        return stated_32
    measured_32 = measured.astype(np.float32)
    agrees = np.isnan(stated) | ((measured_32 >= threshold) == (stated == 1))
    return np.where(np.isfinite(measured) & agrees, measured_32, stated_32)


def _probabilities(
    kind: NDArray[np.uint8], measured: Mapping[str, Floats], *, known_by_class: bool
) -> dict[str, Floats]:
    """Return measured probabilities of the kinds; certain ones where the class contradicts them.

    Where there are none, the class alone is certain, or leaves them unknown.
    """
    certain = (kind[None, :] == np.arange(3)[:, None]).astype(np.float64)
    given = np.stack([measured.get(name, np.full(len(kind), np.nan)) for name in PROBABILITIES])
    complete = np.isfinite(given).all(axis=0)
    own = np.take_along_axis(given, kind[None, :].astype(np.int64), axis=0)[0]
    agrees = complete & (own >= np.max(np.where(complete, given, 0), axis=0) - _TIE)
    kept = agrees | (~complete & (not known_by_class))
    return dict(zip(PROBABILITIES, np.where(kept, given, certain), strict=True))


def _subkind(
    kind: NDArray[np.uint8], stated: NDArray[np.uint8], measured: Floats | None
) -> NDArray[np.uint8]:
    """Return the subkind of the class, else the measured one if it can be of the kind."""
    codes = _codes(measured, len(Subkind), len(kind))
    possible = np.array([[fits(of_kind, code) for code in range(len(Subkind))] for of_kind in range(3)])
    known = stated != Subkind.UNKNOWN
    return np.where(known, stated, np.where(possible[kind, codes], codes, Subkind.UNKNOWN)).astype(np.uint8)


def _tiles(measured: Floats | None, length: int) -> NDArray[np.int32]:
    if measured is None:
        return np.full(length, -1, np.int32)
    known = (measured >= 0) & (measured < np.iinfo(np.int32).max)
    return np.where(known, measured, -1).astype(np.int32)


def _codes(measured: Floats | None, number: int, length: int) -> NDArray[np.uint8]:
    if measured is None:
        return np.zeros(length, np.uint8)
    known = (measured >= 0) & (measured < number)
    return np.where(known, measured, 0).astype(np.uint8)


# What QuPath calls, colours and counts the cells that cxpath writes.


CLASS_NAMES = {Kind.TUMOUR: "Tumor", Kind.IMMUNE: "Immune cells", Kind.OTHER: "Other"}
"""QuPath's own spelling of its default classes."""

COLOURS = {
    (Kind.TUMOUR, True): (213, 94, 0),
    (Kind.TUMOUR, False): (0, 114, 178),
    (Kind.IMMUNE, True): (230, 159, 0),
    (Kind.IMMUNE, False): (86, 180, 233),
    (Kind.OTHER, True): (120, 120, 120),
    (Kind.OTHER, False): (170, 170, 170),
}
"""Okabe & Ito's colour-blind-safe palette: oranges positive, blues negative."""

NAMESPACE = uuid.UUID("5b0c6f0e-6c1a-5f5c-9a55-1b7ba3a5f9b6")
_HEXADECIMAL = np.array([f"{byte:02x}" for byte in range(256)], "S2")
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
"""Digits of a UUID that stand together, with a dash before the next ones."""


NOT_COUNTED = {TissueRegion.NECROSIS: "in necrosis", TissueRegion.BENIGN: "in benign epithelium"}
"""Regions whose cells are in no score, and how the export says so."""


_REASONS = {int(code): f'"metadata":{{"not_counted":"{words}"}},' for code, words in NOT_COUNTED.items()}
WHY_NOT = np.array([_REASONS.get(code, "") for code in range(256)], object)
"""By code of the region: the part of a GeoJSON feature that says why its cell is in no score."""


def _label(kind: Kind, sign: Sequence[str]) -> str:
    colour = COLOURS[kind, sign == ["Positive"]]
    names = [CLASS_NAMES[kind], *sign]
    return json.dumps({"names": names, "color": colour}, separators=(",", ":"), ensure_ascii=False)


LABELS = np.array(
    [[_label(kind, sign) for sign in ([], ["Negative"], ["Positive"])] for kind in Kind], object
)
"""By kind, and by unknown, negative and positive: the classification of a GeoJSON feature."""


def qupath_identities(slide_digest: str, first: int, number: int) -> NDArray[np.bytes_]:
    """Return uuid5(namespace, "digest/row") for row = first, first + 1, ...; quicker than the library's.

    Only the hashes are made one by one.
    """
    started = hashlib.sha1(NAMESPACE.bytes + f"{slide_digest}/".encode(), usedforsecurity=False)
    hashes = []
    for row in range(first, first + number):
        hashed = started.copy()
        hashed.update(b"%d" % row)
        hashes.append(hashed.digest())
    octets = np.frombuffer(b"".join(hashes), np.uint8).reshape(number, 20)[:, :16].copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x50  # the version of a UUID, and its variant
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    digits = _HEXADECIMAL[octets].view(np.uint8)
    texts = np.full((number, 36), ord("-"), np.uint8)
    for dashes, (start, end) in enumerate(_GROUPS):
        texts[:, start + dashes : end + dashes] = digits[:, start:end]
    return texts.view("S36")[:, 0]
