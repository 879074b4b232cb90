"""Hand-countable tissues, drawn as text, for every test that scores cells."""

from __future__ import annotations

import numpy as np

from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind

MPP = 0.5
SPACING_UM = 12.0

_CELLS = {
    "T": (Kind.TUMOUR, Subkind.UNKNOWN),
    "L": (Kind.IMMUNE, Subkind.LYMPHOCYTE),
    "M": (Kind.IMMUNE, Subkind.MACROPHAGE),
    "P": (Kind.OTHER, Subkind.PLASMA),
    "N": (Kind.OTHER, Subkind.NEUTROPHIL),
    "E": (Kind.OTHER, Subkind.EOSINOPHIL),
    "F": (Kind.OTHER, Subkind.FIBROBLAST),
    "X": (Kind.OTHER, Subkind.NECROTIC),
    "B": (Kind.OTHER, Subkind.BENIGN_EPITHELIUM),
}


def synthetic_cells(picture: str, spacing_um: float = SPACING_UM) -> CellTable:
    """Turn "T+ T- L+ ..", rows of two-letter cells, into a table; ".." is an empty place."""
    rows = [line.split() for line in picture.strip().splitlines()]
    placed = [
        (column, row, word)
        for row, words in enumerate(rows)
        for column, word in enumerate(words)
        if word != ".."
    ]
    step_px = spacing_um / MPP
    kinds = [_CELLS[word[0]] for _, _, word in placed]
    facts = CellTableFacts(mpp=MPP, width_px=100_000, height_px=100_000)
    return CellTable.from_columns(
        facts,
        x_px=np.array([(column + 0.5) * step_px for column, _, _ in placed]),
        y_px=np.array([(row + 0.5) * step_px for _, row, _ in placed]),
        kind=np.array([kind for kind, _ in kinds], dtype=np.uint8),
        subkind=np.array([subkind for _, subkind in kinds], dtype=np.uint8),
        stained=np.array([0.99 if word[1] == "+" else 0.01 for _, _, word in placed]),
    )


def many(counts: dict[str, int]) -> CellTable:
    """Return a compact tissue with so many cells of each two-letter word, all near to each other."""
    words = [word for word, number in counts.items() for _ in range(number)]
    side = int(np.ceil(np.sqrt(len(words)))) or 1
    rows = [" ".join(words[start : start + side]) for start in range(0, len(words), side)]
    return synthetic_cells("\n".join(rows), spacing_um=2.0)
