"""What the class names of a lab's annotations teach, read from a small TOML; unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cxpath.exchange.class_names import plain, refuse_repeats
from cxpath.training.fine_labels import ANY_IMMUNE, ANY_OTHER, UNLABELLED
from cxpath.values.bundled import bundled
from cxpath.values.cell_peaks import FINE_CLASSES, REGION_CLASSES
from cxpath.values.settings import Settings
from cxpath.values.settings_file import read_settings

FINE_LABEL_OF_KIND = {
    "unknown": UNLABELLED,
    **{name: index for index, name in enumerate(FINE_CLASSES)},
    "immune": ANY_IMMUNE,
    "other": ANY_OTHER,
}
"""Every word that `kind` takes, and the fine label it means."""


class Taught(Settings):
    """What a cell of one class teaches; what is left out is not known and not taught."""

    kind: str = "unknown"
    """A fine class (`tumour`, `lymphocyte`, `macrophage`, ...), `immune`, `other` or `unknown`."""
    stained: bool | Literal["unknown"] = "unknown"
    """PD-L1 positive by the rule of its kind: membrane for tumour cells, any staining for all others."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in FINE_LABEL_OF_KIND:
            raise ValueError(f"{kind!r} is no kind; use one of {', '.join(FINE_LABEL_OF_KIND)}")
        return kind

    @property
    def fine(self) -> int:
        """The fine label, see `fine_labels`."""
        return FINE_LABEL_OF_KIND[self.kind]

    @property
    def stained_code(self) -> int:
        """1 positive, 0 negative, -1 unknown."""
        return -1 if self.stained == "unknown" else int(self.stained)


class ClassMap(Settings):
    """Everything a class map holds. Class names match whatever their case and QuPath's trailing star."""

    mpp: float | None = Field(default=None, gt=0.05, lt=5)
    """µm per pixel of images whose file does not say it."""
    complete_areas: tuple[str, ...] = ()
    """Classes of areas in which every cell was marked: there, and only there, absence is taught."""
    complete_kinds: tuple[Literal["tumour", "immune", "other"], ...] = ("tumour", "immune", "other")
    """Kinds of which every cell was marked in those areas; absence is taught only with all three."""
    outside_areas: Literal["teach", "ignore"] = "teach"
    """Whether cells outside the complete areas teach; "ignore" if they are a program's, not reviewed."""
    ignored: tuple[str, ...] = ()
    """Classes of which nothing is learned, neither that a cell is there nor that none is."""
    cells: dict[str, Taught] = Field(min_length=1)
    """What each class of cell teaches."""
    regions: dict[str, str] = Field(default_factory=dict)
    """The tissue that outlines of a class enclose: `nest`, `stroma`, `necrosis`, `benign` or `unknown`."""

    @field_validator("regions")
    @classmethod
    def _known_regions(cls, regions: dict[str, str]) -> dict[str, str]:
        for tissue in regions.values():
            if tissue not in REGION_CLASSES:
                raise ValueError(f"{tissue!r} is no tissue; use one of {', '.join(REGION_CLASSES)}")
        return regions

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        for names in (self.cells, self.regions):
            refuse_repeats(names)
        exclusive = (*self.complete_areas, *self.ignored)
        # A class may be both cell and region: points and detections are cells then, outlines are tissue.
        refuse_repeats((*exclusive, *{plain(name) for name in (*self.cells, *self.regions)}))
        return self

    @property
    def teaches_absence(self) -> bool:
        """Whether an unmarked place in a complete area is known to hold no cell."""
        return set(self.complete_kinds) == {"tumour", "immune", "other"}


def default_class_map() -> Path:
    """Return the path of the map that travels with cxpath."""
    return bundled("configs") / "annotations" / "qupath_pdl1.toml"


def read_class_map(path: Path) -> ClassMap:
    """Read a class map.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigurationError
        When it is no TOML, a key is unknown, a value is not allowed or a class has two meanings.
    """
    return read_settings(ClassMap, path, "see configs/annotations/qupath_pdl1.toml")
