"""Audit slides of restained tissue, called by the bundled network, with a reader who knows the truth.

    CXPATH_DATA=… python -m scripts.studies.audit_restained_slides [SLIDES] [--cells 100] [--draws 20]

The slides are those of `make evaluate`: restained tiles of patients that no training saw. Each is audited by
several draws. Prints the true CPS, the network's, error and coverage of the audited one for the cells that
were found, and coverage of the true one where missed cells are counted in squares.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.data.slide_info import StainBasis
from cxpath.evaluation.restained_slides import PlannedMosaic, mosaic_tiles, plan_mosaics
from cxpath.evaluation.settings import RestainedSetSettings, bundled_settings, evaluation_settings
from cxpath.metrics import detect_in_picture
from cxpath.network import Detector, choose_device, load_model
from cxpath.pipeline.cells import name_cells, positive_probability
from cxpath.scores import ScoringSettings, audit_frame
from cxpath.synth import KIND_OF_LABEL, Part, PreparedTile, RestainedTile, prepare, read_tiles
from cxpath.training.thresholds import Decision, card_decision
from scripts.studies.audit_synthetic_slides import COLUMNS, Drawing, KnowingReader, audited, nearest_true

MOST_TILES = 64


@dataclass(frozen=True, eq=False)
class MosaicNetwork:
    """The bundled network, and the tiles that it is asked about."""

    detector: Detector
    decision: Decision
    data: Path
    settings: RestainedSetSettings
    prepared: dict[str, list[PreparedTile]] = field(default_factory=dict)

    def tiles(self, planned: PlannedMosaic) -> Iterator[RestainedTile]:
        """Yield the tiles of a slide."""
        name = planned.source.name
        if name not in self.prepared:
            tiles = read_tiles(self.data, [Part.VALIDATE], [planned.source])
            rngs = (np.random.default_rng([self.settings.seed, place]) for place in range(len(tiles)))
            self.prepared[name] = [prepare(tile, rng) for tile, rng in zip(tiles, rngs, strict=True)]
        return mosaic_tiles(planned, self.prepared[name], self.settings)

    def cells(self, tile: RestainedTile, left_px: float) -> CellTable:
        """Return the cells that are found in a tile which begins so far to the right."""
        peaks, calibration = detect_in_picture(self.detector, tile.rgb), self.decision.calibration
        names = name_cells(peaks.class_logits, calibration)
        height, width = tile.rgb.shape[:2]
        return CellTable.from_columns(
            CellTableFacts(mpp=tile.mpp, width_px=width * MOST_TILES, height_px=height),
            x_px=peaks.x_px + left_px,
            y_px=peaks.y_px,
            kind=names.kind,
            p_tumour=names.p_tumour,
            p_immune=names.p_immune,
            p_other=names.p_other,
            stained=positive_probability(peaks.stain_logits, names, calibration),
        )


def true_columns(tile: RestainedTile, left_px: float) -> NDArray[np.float64]:
    """Return x, y, `Kind` and staining of the true cells of a tile, (N, 4)."""
    kind = KIND_OF_LABEL[tile.label]
    stained = np.where(kind == Kind.TUMOUR, tile.membrane, tile.any_stain)
    return np.column_stack([tile.x_px + left_px, tile.y_px, kind, stained]).astype(np.float64)


def mosaic_row(planned: PlannedMosaic, network: MosaicNetwork, drawing: Drawing) -> str:
    """Paint, call and audit one slide; return its row of the table."""
    tables, truths = [], []
    for place, tile in enumerate(network.tiles(planned)):
        left_px = float(place * tile.rgb.shape[1])
        tables.append(network.cells(tile, left_px))
        truths.append(true_columns(tile, left_px))
    cells, true = CellTable.concatenate(tables), np.concatenate(truths)
    kind, stained = true[:, 2].astype(np.int64), true[:, 3].astype(bool)
    frame = audit_frame(
        cells,
        ScoringSettings(stained_threshold=network.decision.stained_threshold),
        questions=drawing.questions,
    )
    reader = KnowingReader(kind, stained, true[:, :2], nearest_true(true[:, :2], cells))
    called = frame.called.sum(axis=0)
    by_network = min(100.0, 100.0 * (called[0] + called[2]) / max(called[0] + called[1], 1.0))
    start = (
        f"| {planned.name} | {len(cells)} of {len(kind)} | {reader.cps(found=False):.2f} | {by_network:.2f} "
    )
    return start + f"| {audited(frame, reader, drawing)} |"


def main() -> None:
    """Audit slides of restained tissue and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=20)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--squares", type=int, default=20)
    options = parser.parse_args()
    settings, model = (
        evaluation_settings(RestainedSetSettings, bundled_settings("restained")),
        load_model("small"),
    )
    detector = Detector(model, choose_device("cpu"), StainBasis())
    network = MosaicNetwork(detector, card_decision(model), Path(os.environ["CXPATH_DATA"]), settings)
    print(f"| slide | cells found | true CPS | network | {COLUMNS} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for planned in plan_mosaics(settings)[: options.slides]:
        print(
            mosaic_row(planned, network, Drawing(options.cells, options.draws, options.squares)), flush=True
        )


if __name__ == "__main__":
    main()
