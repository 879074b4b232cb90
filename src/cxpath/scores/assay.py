"""What an assay (antibody clone and platform) is for: which scores and cut-offs, in which tumour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from cxpath.data import Settings
from cxpath.errors import AssayError
from cxpath.scores.other_scores import OTHER_SCORES
from cxpath.scores.settings import Cutoff

_SHOWN = {"cps": "CPS", "tps": "TPS"} | {key: one.label for key, one in OTHER_SCORES.items()}


class AssayCutoff(Settings):
    """A cut-off with where it comes from."""

    value: float
    basis: str
    source: str


class AssayScore(Settings):
    """A score that the assay supports for one tumour."""

    tumour: str
    score: str
    supported: bool | Literal["unknown"]
    """"unknown" where no source was found that says so; it is not support."""
    source: str
    certainty: str
    cutoffs: tuple[AssayCutoff, ...] = ()


class AssayCondition(Settings):
    """Something that must be true on the bench for the assay's scores to mean anything; not checked here."""

    text: str
    source: str
    certainty: str


class Assay(Settings):
    """One file of `configs/assays`."""

    name: str
    clone: str
    platform: str = "unknown"
    as_of: str
    scores: tuple[AssayScore, ...] = Field(default=())
    conditions: tuple[AssayCondition, ...] = ()

    def cutoffs(self, score: str, tumour: str) -> tuple[Cutoff, ...]:
        """Return the cut-offs stated for a score in a tumour; empty where none is."""
        entry = self._entry(score, tumour)
        return tuple(Cutoff(cut.value, cut.basis) for cut in entry.cutoffs) if entry else ()

    def supports(self, score: str, tumour: str) -> bool:
        """Say whether the assay's sources support the score in that tumour; unknown is not support."""
        entry = self._entry(score, tumour)
        return entry is not None and entry.supported is True

    def require(self, score: str, tumour: str) -> None:
        """Refuse a score that the assay does not support.

        Raises
        ------
        AssayError
            With the reason, and `--research` as the way out.
        """
        if not self.supports(score, tumour):
            raise AssayError(
                self.why_unsupported(score, tumour),
                "pass --research to compute it all the same, for research only",
            )

    def why_unsupported(self, score: str, tumour: str) -> str:
        """Return the reason, in words, why a score that is not supported is not."""
        entry = self._entry(score, tumour)
        reason = entry.source if entry else "no source in its assay file states it"
        return f"assay {self.name} does not support {_SHOWN.get(score, score)} in {tumour}: {reason}"

    def refusals(self, scores: Iterable[str], tumour: str) -> dict[str, str]:
        """Return those of the scores that are not supported, with the reason."""
        return {
            name: self.why_unsupported(name, tumour) for name in scores if not self.supports(name, tumour)
        }

    def _entry(self, score: str, tumour: str) -> AssayScore | None:
        return next((item for item in self.scores if item.score == score and item.tumour == tumour), None)
