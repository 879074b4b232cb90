"""Painting the ground beneath the cells: fibres and clefts of stroma, haze, necrosis, keratin, mucus."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cxpath.training.synthetic.layout import STEP_UM, Ground
from cxpath.training.synthetic.noise import TEXTURE_SIZE, FloatImage, periodic_texture
from cxpath.training.synthetic.stains import StainLayers
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World


@dataclass(frozen=True, eq=False)
class _Grain:
    fine: FloatImage
    middle: FloatImage
    coarse: FloatImage
    wide: FloatImage


def paint_ground(world: World, window: Window) -> StainLayers:
    """Paint what lies beneath the cells."""
    layers = StainLayers.empty(window.shape)
    start = world.texture_um
    grain = _Grain(
        window.texture(21, 0.8, start),
        window.texture(22, 3.0, start),
        window.texture(23, 9.0, start),
        window.texture(24, 40.0, start),
    )
    soft = {name: window.world_map(plane, STEP_UM) for name, plane in world.ground_maps.items()}
    fibrous = _fibrous(world, soft)
    if fibrous is not None:
        _stroma(world, window, fibrous, grain, layers)
    _nest_matrix(world, soft, grain, layers)
    _special_grounds(world, soft, grain, layers)
    _dab_haze(world, window, soft, grain, layers)
    return layers


def _fibrous(world: World, soft: dict[Ground, FloatImage]) -> FloatImage | None:
    """Return where stroma's fibres are seen: in stroma, and in diffuse growth within nests too."""
    share = soft.get(Ground.STROMA)
    within = world.recipe.tissue.stroma_within
    if within > 0 and Ground.NEST in soft:
        nest = np.float32(within) * soft[Ground.NEST]
        return nest if share is None else share + nest
    return share


def _stroma(world: World, window: Window, share: FloatImage, grain: _Grain, layers: StainLayers) -> None:
    look, traps = world.recipe.stains, world.recipe.traps
    across = window.world_map(world.layout.fibre_um, STEP_UM) + 1.7 * grain.middle + 1.5 * grain.coarse
    thin = _along_fibres(window, across, 31, 0.5, 4.0)
    bundle = _along_fibres(window, across, 32, 1.8, 9.0)
    tissue = 0.7 + 0.25 * thin + 0.3 * bundle + 0.25 * grain.coarse + 0.25 * grain.fine
    np.maximum(tissue, 0.08, out=tissue)
    tissue *= share
    if traps.clefts_share > 0:
        torn = _along_fibres(window, across, 33, 4.5, 30.0) + 0.25 * grain.middle
        tissue *= np.clip((_upper_tail(traps.clefts_share) - torn) * 3 + 0.5, 0.02, 1)
    strands = _along_fibres(window, across + 1.5 * grain.middle, 34, 2.8, 11.0)
    line = np.clip(1 - np.abs(strands) * 4.5, 0, 1) * np.clip(0.6 + 0.7 * grain.middle + 0.3 * thin, 0, 1.5)
    line *= np.minimum(tissue, share)
    layers.carbon[:] += np.float32(0.35 * look.fibril_od) * line
    layers.haematoxylin[:] += np.float32(0.65 * look.fibril_od) * line
    layers.haematoxylin[:] += np.float32(look.stroma_blue_od) * tissue
    layers.tan[:] += np.float32(look.stroma_tan_od) * tissue * np.maximum(0.2, 1 + 0.4 * bundle)


def _along_fibres(
    window: Window, across: FloatImage, seed: int, thick_um: float, long_um: float
) -> FloatImage:
    """Streaks that follow the fibres: noise read with one axis across them and one along."""
    texture = periodic_texture(seed, 2.0)
    u = across * np.float32(2 / thick_um)
    along = (window.x_um[None, :] * 0.83 + window.y_um[:, None] * 0.56).astype(np.float32)
    v = along * np.float32(2 / long_um)
    return np.asarray(
        cv2.remap(texture, _wrapped(u), _wrapped(v), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    )


def _wrapped(texels: FloatImage) -> FloatImage:
    """Bring texture coordinates into one period; several times faster than numpy's remainder."""
    size = np.float32(TEXTURE_SIZE)
    wrapped: FloatImage = texels - np.floor(texels * (1 / size)) * size
    return wrapped


def _upper_tail(share: float) -> float:
    """Return the normal deviate that a share of values exceeds (Abramowitz & Stegun 26.2.22)."""
    t = np.sqrt(-2 * np.log(min(0.5, max(1e-4, share))))
    return float(t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t))


def _nest_matrix(world: World, soft: dict[Ground, FloatImage], grain: _Grain, layers: StainLayers) -> None:
    """Paint a faint ground between epithelial cells."""
    look = world.recipe.nuclei
    for name in (Ground.NEST, Ground.BENIGN):
        if name in soft:
            layers.haematoxylin[:] += (
                soft[name]
                * np.float32(0.5 * look.cytoplasm_od)
                * np.maximum(0, 1 + 0.35 * grain.fine + 0.3 * grain.middle)
            )
            layers.tan[:] += soft[name] * np.float32(0.5 * look.cytoplasm_tan_od)


def _special_grounds(
    world: World, soft: dict[Ground, FloatImage], grain: _Grain, layers: StainLayers
) -> None:
    traps = world.recipe.traps
    if Ground.NECROSIS in soft:
        rough = (
            np.maximum(0.1, 1 + 0.35 * grain.fine + 0.3 * grain.middle + 0.3 * grain.coarse)
            * soft[Ground.NECROSIS]
        )
        layers.haematoxylin[:] += 0.04 * rough
        layers.tan[:] += 0.05 * rough
        layers.dab[:] += np.float32(traps.necrosis_dab_od) * rough
    if Ground.KERATIN in soft:
        swirl = 0.5 + 0.5 * np.sin(9.0 * grain.wide + 1.3 * grain.coarse + 0.5 * grain.middle)
        flakes = soft[Ground.KERATIN] * np.maximum(0, 0.5 + swirl + 0.2 * grain.fine)
        layers.tan[:] += 0.06 * flakes
        layers.haematoxylin[:] += 0.02 * flakes
        layers.dab[:] += np.float32(traps.keratin_dab_od) * flakes
    if Ground.LUMEN in soft:
        wisps = soft[Ground.LUMEN] * np.clip(0.6 * grain.coarse + 0.5 * grain.middle, 0, 2)
        layers.haematoxylin[:] += 0.03 * wisps
        layers.tan[:] += 0.02 * wisps
        layers.dab[:] += np.float32(traps.mucus_dab_od) * wisps


def _dab_haze(
    world: World, window: Window, soft: dict[Ground, FloatImage], grain: _Grain, layers: StainLayers
) -> None:
    traps = world.recipe.traps
    tissue = 1 - soft.get(Ground.GLASS, np.float32(0))
    haze = np.float32(traps.haze_od) * np.maximum(0.2, 1 + 0.3 * grain.wide)
    if Ground.STROMA in soft and traps.haze_patch_od > 0:
        patch = np.clip(grain.wide, 0, 2) * np.maximum(0, 1 + 0.5 * grain.middle) * soft[Ground.STROMA]
        haze = haze + np.float32(traps.haze_patch_od) * patch
    if traps.edge_od > 0 and Ground.GLASS in soft:
        depth = window.world_map(world.layout.tissue_depth_um, STEP_UM)
        haze = haze + np.float32(traps.edge_od) * np.exp(-np.abs(depth) / 9) * np.maximum(
            0, 1 + 0.5 * grain.coarse
        )
    layers.dab[:] += haze * tissue
