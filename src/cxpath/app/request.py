"""What a user asks for when scoring one slide: the options of `cxpath score`, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cxpath.app.configuration import UNKNOWN, Configuration, read_assay
from cxpath.data import Reason, ReasonCode
from cxpath.errors import ConfigurationError
from cxpath.scores import ASSAY_BOUND, COMPARTMENTS, Assay, Cutoff, require_intensity_thresholds
from cxpath.slide import pseudonym, pseudonym_key

PDL1 = "pdl1"
WHOLE, ADAPTIVE = "whole", "adaptive"
CERVIX = "cervix"
REFERENCE_ASSAY = "22c3"
"""Whose cut-offs are shown for an unstated assay, with a warning."""


@dataclass(frozen=True)
class ScoreRequest:
    """One slide and how to score it.

    Parameters
    ----------
    slide : Path
    out : Path, optional
        Results folder; `./cxpath-out/<stem>` by default.
    overwrite : bool
        Replace an earlier result.
    mpp : float, optional
        Micrometres per pixel, where the file does not say or is wrong.
    assay : str
        Name of an assay, or "unknown".
    tumour : str
        "cervix", or another tumour with `research`.
    research : bool
        Compute scores that the assay does not support.
    regions : Path, optional
        Annotated regions (QuPath GeoJSON, ASAP XML or ImageScope XML).
    cells : Path, optional
        Cells to score instead of running the network (Parquet, CSV, QuPath GeoJSON or measurement table).
    profile : Path, optional
        A laboratory's profile (`cxpath review adapt --save-profile`), by which the calls are adapted.
    class_map : Path, optional
        What the class names of those cells mean (TOML); the bundled map by default.
    ignore_classes : tuple of str
        Classes of drawn regions and of given cells that are left out.
    marker : str
        "pdl1", "her2", "egfr" or "vegf".
    mode : str
        "whole" reads all tissue; "adaptive" only so many fields that the score is narrow or clear enough.
    model : str
        Name of a bundled model, or a folder.
    device : str
        "auto", "cpu" or "cuda".
    pseudonym : bool
        Replace the slide's name by a keyed hash everywhere.
    configuration : Configuration
    """

    slide: Path
    out: Path | None = None
    overwrite: bool = False
    mpp: float | None = None
    assay: str = UNKNOWN
    tumour: str = CERVIX
    research: bool = False
    regions: Path | None = None
    cells: Path | None = None
    profile: Path | None = None
    class_map: Path | None = None
    ignore_classes: tuple[str, ...] = ()
    marker: str = PDL1
    mode: str = WHOLE
    model: str = "small"
    device: str = "auto"
    pseudonym: bool = False
    configuration: Configuration = field(default_factory=Configuration)

    @property
    def shown_name(self) -> str | None:
        """The pseudonym, or None to show the file's own name."""
        if not self.pseudonym:
            return None
        return pseudonym(self.slide.name, pseudonym_key())

    @property
    def folder(self) -> Path:
        """Where the results go."""
        stem = self.shown_name or self.slide.stem or self.slide.name
        return self.out or Path("cxpath-out") / stem

    def check(self) -> Assay | None:
        """Refuse what cannot be asked, before anything is read; return the assay when it was stated.

        Raises
        ------
        AssayError
            Unknown assay, or one that does not support the score asked of it.
        ConfigurationError
            Unknown marker, mode or tumour, or a marker without the lab's intensity cuts.
        """
        if self.class_map and not self.cells:
            raise ConfigurationError(
                "--class-map without --cells", "pass the cells whose classes it explains"
            )
        self._check_mode()
        self._check_profile()
        if self.marker != PDL1:
            if self.marker not in COMPARTMENTS:
                known = ", ".join((PDL1, *COMPARTMENTS))
                raise ConfigurationError(f"marker {self.marker!r} is unknown", f"known markers: {known}")
            require_intensity_thresholds(self.marker, self.configuration.scoring)
        if self.tumour != CERVIX and not self.research:
            raise ConfigurationError(
                f"tumour {self.tumour!r} is not supported: cxpath scores {CERVIX}",
                "pass --research to score it all the same, for research only",
            )
        if self.assay.lower() == UNKNOWN:
            return None
        assay = read_assay(self.assay)
        if not self.research and self.marker == PDL1:
            assay.require("cps", self.tumour)
        return assay

    def _check_mode(self) -> None:
        if self.mode not in (WHOLE, ADAPTIVE):
            raise ConfigurationError(f"mode {self.mode!r} is unknown", f"known modes: {WHOLE}, {ADAPTIVE}")
        if self.mode == ADAPTIVE and (self.cells or self.marker != PDL1):
            raise ConfigurationError(
                "--mode adaptive decides what cxpath reads for a CPS", "drop --mode, or --cells and --marker"
            )

    def _check_profile(self) -> None:
        if self.profile is None:
            return
        if self.cells or self.marker != PDL1 or self.mode != WHOLE:
            raise ConfigurationError(
                "--profile adapts the network's own PD-L1 calls on a whole slide",
                "drop --profile, or --cells, --marker and --mode",
            )
        scoring = self.configuration.scoring
        if scoring.stained_threshold is not None or scoring.laboratory_map is not None:
            raise ConfigurationError(
                "--profile sets the staining threshold, and a laboratory's map was fitted without it",
                "leave scoring.stained_threshold and scoring.laboratory_map out",
            )

    def cutoffs(self, assay: Assay | None) -> tuple[Cutoff, ...]:
        """Return what to compare the CPS with: the assay's cut-offs, 22C3's for an unstated one."""
        return (assay or read_assay(REFERENCE_ASSAY)).cutoffs("cps", self.tumour)

    def refused_scores(self, assay: Assay | None) -> dict[str, str]:
        """Return the scores that are not made, with the reason; with `research` all are."""
        if self.research:
            return {}
        if assay is None:
            return dict.fromkeys(ASSAY_BOUND, "assay not stated: pass --assay, or --research")
        hint = "--research computes it, for research only"
        return {name: f"{why} ({hint})" for name, why in assay.refusals(ASSAY_BOUND, self.tumour).items()}

    def warnings(self, assay: Assay | None) -> tuple[Reason, ...]:
        """Return what a reader of the report must know about the request."""
        found = []
        if assay is None:
            text = "assay not stated: cut-offs shown are those of 22C3 in cervix"
            found.append(Reason(ReasonCode.ASSAY_NOT_STATED, text))
        elif not assay.supports("cps", self.tumour):
            text = f"assay {assay.name} does not support CPS in {self.tumour}: computed for research only"
            found.append(Reason(ReasonCode.ASSAY_UNSUPPORTED, text))
        if self.configuration.tissue.stain_check == "off":
            found.append(Reason(ReasonCode.STAIN_CHECK_OFF, "the stain check was switched off"))
        if self.cells:
            text = "cells were read from a file, not found by cxpath's network"
            found.append(Reason(ReasonCode.CELLS_FROM_FILE, text))
        return tuple(found)
