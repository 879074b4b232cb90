"""What an assay (antibody clone and platform) is for: which scores and cut-offs, in which tumour."""

from __future__ import annotations

from pydantic import Field

from cxpath.scores.cutoffs import Cutoff
from cxpath.values.errors import AssayError
from cxpath.values.settings import Settings


class AssayCutoff(Settings):
    """A cut-off with where it comes from."""

    value: float
    basis: str
    source: str


class AssayScore(Settings):
    """A score that the assay supports for one tumour."""

    tumour: str
    score: str
    supported: bool
    source: str
    certainty: str
    cutoffs: tuple[AssayCutoff, ...] = ()


class Assay(Settings):
    """One file of `configs/assays`."""

    name: str
    clone: str
    platform: str = "unknown"
    as_of: str
    scores: tuple[AssayScore, ...] = Field(default=())

    def cutoffs(self, score: str, tumour: str) -> tuple[Cutoff, ...]:
        """Return the cut-offs stated for a score in a tumour; empty where none is."""
        entry = self._entry(score, tumour)
        return tuple(Cutoff(cut.value, cut.basis) for cut in entry.cutoffs) if entry else ()

    def supports(self, score: str, tumour: str) -> bool:
        """Say whether the assay's sources support the score in that tumour; unknown is not support."""
        entry = self._entry(score, tumour)
        return entry is not None and entry.supported

    def require(self, score: str, tumour: str) -> None:
        """Refuse a score that the assay does not support.

        Raises
        ------
        AssayError
            With the reason, and `--research` as the way out.
        """
        if self.supports(score, tumour):
            return
        entry = self._entry(score, tumour)
        reason = f"{entry.source}" if entry else "no source in its assay file states it"
        raise AssayError(
            f"assay {self.name} does not support {score.upper()} in {tumour}: {reason}",
            "pass --research to compute it all the same, for research only",
        )

    def _entry(self, score: str, tumour: str) -> AssayScore | None:
        return next((item for item in self.scores if item.score == score and item.tumour == tumour), None)
