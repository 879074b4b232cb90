"""What the class names of drawn regions mean: a small table that a lab may change. Reads no file."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from cxpath.exchange.class_names import UNCLASSIFIED, plain, refuse_repeats
from cxpath.values.regions import RegionMeaning
from cxpath.values.settings import Settings


class RegionClasses(Settings):
    """Section `[regions]` of the configuration: class names by meaning; a list replaces the default list.

    Neither case matters nor the star that QuPath sets behind `Region*` and `Ignore*`.
    """

    include: tuple[str, ...] = (
        "Tumor", "Tumour", "Invasive tumor", "Invasive tumour", "Carcinoma",
        "Region", "ROI", "Region of interest", "Include",
    )  # fmt: skip
    """Scored."""

    tumour_bed: tuple[str, ...] = ("Tumor bed", "Tumour bed", "Tumor area", "Tumour area")
    """Scored, and the area that scores of tumour area refer to."""

    exclude: tuple[str, ...] = ("Exclude", "Exclusion", "Ignore", "Ulcer")
    """Not scored."""

    necrosis: tuple[str, ...] = ("Necrosis", "Necrotic")
    """Not scored."""

    benign: tuple[str, ...] = (
        "Benign", "Normal", "CIN", "CIN1", "CIN2", "CIN3", "CIS", "HSIL", "LSIL", "Dysplasia",
    )  # fmt: skip
    """Not scored: benign or precancerous epithelium."""

    artefact: tuple[str, ...] = ("Artefact", "Artifact", "Fold", "Pen", "Blur")
    """Not scored."""

    control: tuple[str, ...] = ("Control", "Control tissue", "Positive control", "Negative control")
    """Not scored: control tissue on the slide."""

    pass_over: tuple[str, ...] = ()
    """Neither include nor exclude anything; passed over with a warning."""

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        refuse_repeats(name for listed in self.model_dump().values() for name in listed)
        return self

    def meanings(self) -> dict[str, RegionMeaning]:
        """Return the meaning of each name, in the spelling of the table."""
        return {name: meaning for key, meaning in _MEANING_OF_KEY.items() for name in getattr(self, key)}

    def meaning(self, name: str) -> RegionMeaning | None:
        """Return what a class means, or None for one that is not in the table."""
        if name == UNCLASSIFIED:
            return RegionMeaning.INCLUDE  # whoever draws one area means that one
        plain_meanings = {plain(known): meaning for known, meaning in self.meanings().items()}
        return plain_meanings.get(plain(name))

    def is_passed_over(self, name: str) -> bool:
        """Say whether areas of this class are for something else than the score."""
        return plain(name) in {plain(known) for known in self.pass_over}

    def listed(self) -> str:
        """Return the whole table in one line, for messages."""
        return "; ".join(
            f"{meaning.value}: {', '.join(getattr(self, key)) or 'none'}"
            for key, meaning in _MEANING_OF_KEY.items()
        )


_MEANING_OF_KEY = {
    "include": RegionMeaning.INCLUDE,
    "tumour_bed": RegionMeaning.TUMOUR_BED,
    "exclude": RegionMeaning.EXCLUDE,
    "necrosis": RegionMeaning.NECROSIS,
    "benign": RegionMeaning.BENIGN,
    "artefact": RegionMeaning.ARTEFACT,
    "control": RegionMeaning.CONTROL,
}
