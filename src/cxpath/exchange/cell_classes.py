"""What the class names of cells from elsewhere mean, read from a small TOML; unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cxpath.exchange.class_names import refuse_repeats
from cxpath.values.bundled import bundled
from cxpath.values.cell_table import COLUMNS, IMMUNE_SUBKINDS, Kind, Subkind
from cxpath.values.settings import Settings
from cxpath.values.settings_file import read_settings

MEASURED = tuple(
    name for name, element in COLUMNS.items() if element().dtype.kind == "f" and "_px" not in name
)
"""Columns of cells that hold measured numbers."""

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
            raise ValueError(f"{self.subkind!r} is no subkind; use one of {', '.join(names)}")
        if not fits(self.kind_code, self.subkind_code):
            raise ValueError(f"{self.subkind!r} cells are not of kind {self.kind!r}")
        return self

    @property
    def kind_code(self) -> Kind:
        """The kind as a CellTable holds it."""
        return Kind[self.kind.upper()]

    @property
    def subkind_code(self) -> Subkind:
        """The subkind as a CellTable holds it."""
        return Subkind[self.subkind.upper()]


class CellClasses(Settings):
    """Everything a class map of cells holds. Names match whatever their case and QuPath's trailing star."""

    ignored: tuple[str, ...] = ()
    """Classes whose objects are no cells to count."""
    cells: dict[str, CellMeaning] = Field(min_length=1)
    """What the cells of each class are."""
    measurements: dict[str, str] = Field(default_factory=dict)
    """Column of the cell table = name of the measurement that fills it."""

    @field_validator("measurements")
    @classmethod
    def _known_columns(cls, measurements: dict[str, str]) -> dict[str, str]:
        for name in measurements:
            if name not in MEASURED:
                raise ValueError(f"{name!r} is no measured column; use one of {', '.join(MEASURED)}")
        return measurements

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        refuse_repeats((*self.cells, *self.ignored))
        return self

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
