"""How lymphocytes, macrophages, plasma cells, neutrophils and eosinophils are built. Lengths in µm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.cell_plan import CellPlan, new_cells
from cxpath.training.synthetic.recipe import NuclearLook
from cxpath.values.cell_table import Kind, Subkind

Floats = NDArray[np.float64]


def immune_cells(
    rng: np.random.Generator, subkind: NDArray[np.uint8], x_um: Floats, y_um: Floats, look: NuclearLook
) -> CellPlan:
    """Build one cell at each place, of the subkind named for it."""
    cells = new_cells(x_um, y_um, subkind=subkind)
    for name, build in _BUILDERS.items():
        chosen = subkind == name
        if chosen.any():
            cells[chosen] = build(rng, x_um[chosen], y_um[chosen], look)
    cells["subkind"] = subkind
    immune = np.isin(subkind, (Subkind.LYMPHOCYTE, Subkind.MACROPHAGE))
    cells["kind"] = np.where(immune, Kind.IMMUNE, Kind.OTHER)
    return cells


def draw_subkinds(rng: np.random.Generator, number: int, shares: dict[Subkind, float]) -> NDArray[np.uint8]:
    """Draw subkinds by their shares; what is missing to 1 are lymphocytes."""
    names = np.array([Subkind.LYMPHOCYTE, *shares], np.uint8)
    weights = np.array([0.0, *shares.values()])
    weights[0] = max(0.05, 1 - weights.sum())
    return rng.choice(names, number, p=weights / weights.sum())


def _spread(rng: np.random.Generator, number: int, mean: float, spread: float) -> Floats:
    return mean * np.exp(rng.normal(0, spread, number))


def _lymphocytes(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
    n = len(x)
    nucleus = _spread(rng, n, look.lymphocyte_radius_um, 0.1)
    return new_cells(
        x,
        y,
        reach_um=nucleus + rng.uniform(0.5, 1.3, n),
        weight_um=nucleus + 0.8,
        body=0.6,
        nucleus_um=nucleus,
        nucleus_aspect=rng.uniform(1.0, 1.35, n),
        nucleus_angle=rng.uniform(0, np.pi, n),
        wobble=rng.uniform(0.02, 0.07, n),
        blur=rng.uniform(0.6, 1.1, n),
        haematoxylin_od=look.haematoxylin_od * rng.uniform(1.15, 1.8) * np.exp(rng.normal(0, 0.15, n)),
        vesicular=rng.uniform(0.3, 0.8) * look.vesicular,
        chromatin=rng.uniform(0.1, 0.4, n),
        cytoplasm_od=0.6 * look.cytoplasm_od,
        tan_od=0.5 * look.cytoplasm_tan_od,
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def _macrophages(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
    n = len(x)
    nucleus = _spread(rng, n, look.lymphocyte_radius_um * 1.22, 0.14)
    reach = nucleus * rng.uniform(1.6, 2.6, n)
    direction = rng.uniform(0, 2 * np.pi, n)
    away = rng.uniform(0, 0.45, n) * (reach - nucleus)
    return new_cells(
        x,
        y,
        reach_um=reach,
        weight_um=reach * 0.85,
        body=0.8,
        ragged=rng.uniform(1.2, 3.0, n),
        aspect=rng.uniform(1.0, 1.9, n),
        angle=rng.uniform(0, np.pi, n),
        nucleus_um=nucleus,
        nucleus_aspect=rng.uniform(1.2, 1.9, n),
        nucleus_angle=rng.uniform(0, np.pi, n),
        offset_x_um=away * np.cos(direction),
        offset_y_um=away * np.sin(direction),
        bend=rng.uniform(0.0, 0.16, n),
        wobble=rng.uniform(0.03, 0.1, n),
        blur=rng.uniform(0.7, 1.1, n),
        haematoxylin_od=look.haematoxylin_od * rng.uniform(0.65, 0.95) * np.exp(rng.normal(0, 0.18, n)),
        vesicular=min(1.0, 0.35 + 0.65 * look.vesicular),
        chromatin=rng.uniform(0.15, 0.35, n),
        nucleolus=(rng.random(n) < 0.25) * 0.5,
        cytoplasm_od=look.cytoplasm_od * rng.uniform(0.6, 1.1, n),
        tan_od=0.01 + look.cytoplasm_tan_od,
        foam=rng.uniform(0.2, 0.9, n),
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def _plasma(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
    n = len(x)
    nucleus = _spread(rng, n, look.lymphocyte_radius_um * 0.98, 0.08)
    angle = rng.uniform(0, 2 * np.pi, n)
    away = rng.uniform(1.4, 2.6, n)
    return new_cells(
        x,
        y,
        reach_um=nucleus + rng.uniform(2.0, 3.2, n),
        weight_um=nucleus + 2.2,
        body=0.85,
        aspect=rng.uniform(1.25, 1.7, n),
        angle=angle,
        nucleus_um=nucleus,
        nucleus_aspect=rng.uniform(1.0, 1.2, n),
        offset_x_um=away * np.cos(angle),
        offset_y_um=away * np.sin(angle),
        wobble=0.03,
        blur=0.8,
        haematoxylin_od=look.haematoxylin_od * rng.uniform(1.0, 1.45) * np.exp(rng.normal(0, 0.12, n)),
        vesicular=0.5 * look.vesicular,
        chromatin=0.35,
        clock_face=rng.uniform(0.08, 0.3, n),
        cytoplasm_od=0.03 + 1.2 * look.cytoplasm_od * rng.uniform(0.8, 1.3, n),
        tan_od=0.02,
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def _granulocytes(lobes: tuple[int, ...], tan_od: float) -> Callable[..., CellPlan]:
    def build(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
        n = len(x)
        nucleus = _spread(rng, n, look.lymphocyte_radius_um * 0.92, 0.08)
        return new_cells(
            x,
            y,
            reach_um=nucleus + rng.uniform(1.0, 2.0, n),
            weight_um=nucleus + 1.4,
            body=0.7,
            nucleus_um=nucleus,
            nucleus_angle=rng.uniform(0, 2 * np.pi, n),
            lobes=rng.choice(lobes, n),
            wobble=0.03,
            blur=0.7,
            haematoxylin_od=look.haematoxylin_od * rng.uniform(1.2, 1.8) * np.exp(rng.normal(0, 0.12, n)),
            chromatin=0.1,
            cytoplasm_od=0.3 * look.cytoplasm_od,
            tan_od=tan_od + 0.5 * look.cytoplasm_tan_od,
            foam=0.4 if tan_od > 0.03 else 0.1,
            phase=rng.uniform(0, 2 * np.pi, n),
        )

    return build


_BUILDERS: dict[Subkind, Callable[..., CellPlan]] = {
    Subkind.LYMPHOCYTE: _lymphocytes,
    Subkind.MACROPHAGE: _macrophages,
    Subkind.PLASMA: _plasma,
    Subkind.NEUTROPHIL: _granulocytes((2, 3, 3, 4), 0.01),
    Subkind.EOSINOPHIL: _granulocytes((2,), 0.09),
}
