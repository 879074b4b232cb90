"""Networks: what every one has, which there are, and the plain U-Net."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cxpath.data import FINE_CLASSES, REGION_CLASSES, STAIN_CLASSES, Settings
from cxpath.errors import ConfigurationError

# The registry: another architecture is a module with a subclass of `Network`, and its line here.


ARCHITECTURES = {
    "plain_unet": "cxpath.network.architecture:PlainUNet",
}
"""Module and class of each architecture, by the `name` that cards and training files state."""

DEFAULT_ARCHITECTURE = "plain_unet"


class ArchitectureSettings(Settings):
    """What is needed to rebuild a network before its weights are loaded; each architecture adds keys."""

    name: str
    """The architecture: a key of `ARCHITECTURES`."""


def architecture_class(name: str) -> type[Network]:
    """Return the class of an architecture, imported now.

    Raises
    ------
    ValueError
        When there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"architecture {name!r} is unknown; there are: {', '.join(sorted(ARCHITECTURES))}")
    module, _, wanted = ARCHITECTURES[name].partition(":")
    found: type[Network] = getattr(import_module(module), wanted)
    return found


def build_network(settings: ArchitectureSettings) -> Network:
    """Return a network of these settings with fresh weights."""
    return architecture_class(settings.name)(settings)


def _of_its_architecture(stated: object) -> object:
    """Read keys by the settings of the architecture that they name."""
    if not isinstance(stated, Mapping):
        return stated
    try:
        wanted = architecture_class(str(stated.get("name", DEFAULT_ARCHITECTURE)))
        return wanted.settings_class.model_validate(stated)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PydanticCustomError(
            "architecture", "{where}: {what}", {"where": where, "what": first["msg"]}
        ) from error


AnyArchitecture = Annotated[SerializeAsAny[ArchitectureSettings], BeforeValidator(_of_its_architecture)]
"""A field for the settings of whichever architecture is named."""


# What every architecture has in common.
#
# No layer may see the whole tile (no pooling over it, no squeeze-excitation, no instance norm), so that a
# tile with enough halo gives exactly what the whole slide would give. Outputs lie on every fourth pixel.


OUTPUT_STRIDE_PX = 4
LATTICE_STRIDE_PX = 16
"""Tiles whose origins differ by a multiple of this see the same sampling grid at every depth."""


class NetworkOutput(NamedTuple):
    """Raw outputs for a batch; h and w are a quarter of the input's height and width.

    Attributes
    ----------
    centre : Tensor, (B, 1, h, w)
        Logit that a nuclear centre lies in this 4 by 4 pixel cell.
    offset : Tensor, (B, 2, h, w)
        x, y of that centre from the middle of the cell, in output cells.
    kind : Tensor, (B, 10, h, w)
        Logits in the order of `FINE_CLASSES`.
    stain : Tensor, (B, 2, h, w)
        Logits in the order of `STAIN_CLASSES`.
    region : Tensor, (B, 5, h, w)
        Logits in the order of `REGION_CLASSES`, computed at every eighth pixel.
    """

    centre: Tensor
    offset: Tensor
    kind: Tensor
    stain: Tensor
    region: Tensor


class Network(nn.Module, ABC):
    """A network as engines, embedding, training and packing use it.

    Attributes
    ----------
    settings : ArchitectureSettings
        What it was built from.
    hidden : ConvolutionBlock
        The last layer before the outputs, of 1 by 1 pixels: `PeakEmbedding` computes it for single cells.
    """

    settings_class: ClassVar[type[ArchitectureSettings]]
    settings: ArchitectureSettings
    hidden: ConvolutionBlock

    @abstractmethod
    def __init__(self, settings: ArchitectureSettings) -> None:
        super().__init__()

    def forward(self, rgb: Tensor) -> NetworkOutput:
        """Return the raw outputs.

        Parameters
        ----------
        rgb : Tensor, (B, 3, H, W)
            Light 0-255 at the card's µm/px, any number type; H and W multiples of 16.
        """
        return self.with_features(rgb)[0]

    @abstractmethod
    def with_features(self, rgb: Tensor) -> tuple[NetworkOutput, Tensor]:
        """Return the raw outputs and the merged features behind them, (B, merged channels, h, w).

        See `forward`, and `PeakEmbedding` for what the features are for.
        """

    @abstractmethod
    def last_features(self, rgb: Tensor) -> Tensor:
        """Return what the outputs are made from, (B, merged + hidden channels, h, w); see `forward`."""

    @abstractmethod
    def lower_precision(self, number_type: torch.dtype) -> None:
        """Compute everything but the last layers in `number_type`."""


class ConvolutionBlock(nn.Module):
    """Convolution, batch norm (until it is folded away) and rectifier."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        padding = (kernel - stride + 1) // 2
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features after the block."""
        return functional.relu(self.norm(self.convolution(features)), inplace=True)


# Folding batch norm into the convolution before it: the same numbers, a third of the time saved.


def fold_norms(network: Network) -> None:
    """Fold every batch norm of `network` in place; it must be in evaluation mode and is final then."""
    for module in network.modules():
        if isinstance(module, ConvolutionBlock) and isinstance(module.norm, nn.BatchNorm2d):
            module.convolution = fuse_conv_bn_eval(module.convolution, module.norm)
            module.norm = nn.Identity()


def folded_convolution(block: ConvolutionBlock) -> nn.Conv2d:
    """Return the convolution of a block with its batch norm folded in; the block stays as it is."""
    if isinstance(block.norm, nn.BatchNorm2d):
        return fuse_conv_bn_eval(copy.deepcopy(block.convolution).eval(), copy.deepcopy(block.norm).eval())
    return block.convolution


# How far around a pixel the network looks, measured on the network itself.


_PROBE_PX = 384


class ReceptiveField(NamedTuple):
    """Extent of what can influence an output.

    Attributes
    ----------
    width_px : int
        Widest span of input pixels behind one output cell.
    reach_px : int
        How far beyond the edge of a lattice block (16 pixels) the outputs inside it look: the halo
        that makes a tile whose core starts on the lattice equal to the whole picture.
    """

    width_px: int
    reach_px: int


def receptive_field(network: Network) -> ReceptiveField:
    """Measure the receptive field by back-propagation through a copy whose weights are all one.

    With positive weights no rectifier closes and no two paths cancel, so every pixel that can matter
    gets a gradient: this is the true extent, not the smaller effective one of Luo et al. 2016.

    Parameters
    ----------
    network : Network
        Left untouched.
    """
    open_copy = _all_open(network)
    start = _PROBE_PX // 2
    cells = range(start // OUTPUT_STRIDE_PX, (start + LATTICE_STRIDE_PX) // OUTPUT_STRIDE_PX)
    spans = [_seen_by(open_copy, cell) for cell in cells]
    first, last = min(low for low, _ in spans), max(high for _, high in spans)
    reach = max(start - first, last - (start + LATTICE_STRIDE_PX - 1))
    return ReceptiveField(max(high - low + 1 for low, high in spans), reach)


def _all_open(network: Network) -> Network:
    network = copy.deepcopy(network).float().cpu().eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, ConvolutionBlock):
            module.norm = nn.Identity()
    return network


def _seen_by(network: Network, cell: int) -> tuple[int, int]:
    """Return the first and last pixel column that output column `cell` depends on (rows are alike)."""
    strip = torch.full((1, 3, _PROBE_PX, _PROBE_PX), 255.0, requires_grad=True)
    output = network(strip)
    seen = sum(part[..., cell, cell].sum() for part in output)
    (gradient,) = torch.autograd.grad(seen, strip)
    columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    return int(columns[0]), int(columns[-1])


# A wider network that answers as a narrower one does, to train on from there.


_WIDENED_SEED = 20
_SAME_LOGIT = 1e-3


def widened(network: Network, settings: ArchitectureSettings) -> Network:
    """Return a wider network that answers as `network` does: training continues from there.

    Every new channel is a copy of an old one. What reads it gives the copies unequal shares of the old
    weight, by chance but always the same, so that training can tell them apart (Net2WiderNet: Chen,
    Goodfellow & Shlens, "Net2Net", ICLR 2016, arXiv 1511.05641).

    Parameters
    ----------
    network : Network
        Left untouched.
    settings : ArchitectureSettings
        Of the same architecture, each of its layers at least as wide.

    Raises
    ------
    ConfigurationError
        When a layer is narrower, or the architecture is another one or cannot be widened like this.
    """
    wide = build_network(settings)
    old, new = network.state_dict(), wide.state_dict()
    if settings.name != network.settings.name or any(
        was > becomes for name in old for was, becomes in zip(old[name].shape, new[name].shape, strict=True)
    ):
        raise ConfigurationError(
            "a network can only become wider, not narrower or of another architecture",
            "state the channels of the model that training starts from, or more",
        )
    chance = torch.Generator().manual_seed(_WIDENED_SEED)
    wide.load_state_dict({name: _widened_tensor(old[name], new[name].shape, chance) for name in old})
    _check_same_answers(network, wide)
    return wide


def _widened_tensor(tensor: Tensor, shape: torch.Size, chance: torch.Generator) -> Tensor:
    """Return weights or statistics whose channels are copies; copies of an input share its weight."""
    if tensor.ndim == 0:
        return tensor.clone()
    wide = tensor[torch.arange(shape[0]) % len(tensor)]
    if tensor.ndim == 1 or shape[1] == tensor.shape[1]:
        return wide
    source = torch.arange(shape[1]) % tensor.shape[1]
    share = torch.rand(shape[:2], generator=chance) + 0.5
    whole = torch.zeros(shape[0], tensor.shape[1]).index_add_(1, source, share)
    return wide[:, source] * (share / whole[:, source])[:, :, None, None]


def _check_same_answers(network: Network, wide: Network) -> None:
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(_WIDENED_SEED)) * 255
    with torch.no_grad():
        answers = [copy.deepcopy(one).float().cpu().eval()(picture) for one in (network, wide)]
    if any((was - now).abs().max() > _SAME_LOGIT for was, now in zip(*answers, strict=True)):
        raise ConfigurationError(
            f"a network of architecture {network.settings.name!r} gives different outputs when made wider",
            "state the channels of the model that training starts from",
        )


# The plain U-Net.


_LIGHT_MEAN = (196.0, 178.0, 184.0)
_LIGHT_SPREAD = (42.0, 46.0, 40.0)
_OUTPUT_CHANNELS = 1 + 2 + len(FINE_CLASSES) + len(STAIN_CLASSES)


Channels = Annotated[int, Field(gt=0, le=4096)]
"""Wider, a damaged card would ask for more memory than there is."""


class PlainUNetSettings(ArchitectureSettings):
    """The channels of a plain U-Net."""

    name: Literal["plain_unet"] = "plain_unet"
    """This architecture."""

    stem_channels: Channels = 16
    """Channels at every second pixel."""

    fine_channels: Channels = 32
    """Channels at every fourth pixel, where membranes are seen."""

    middle_channels: Channels = 64
    """Channels at every eighth pixel, where nuclei are seen."""

    deep_channels: Channels = 224
    """Channels at every sixteenth pixel, where nests and stroma are seen."""

    merged_channels: Channels = 48
    """Channels after all depths are merged at every fourth pixel."""

    hidden_channels: Channels = 96
    """Channels of the last layer before the outputs."""


class PlainUNet(Network):
    """Light U-Net: two encoders deep detail, one deep context, sums across depths, 1 by 1 heads.

    Down-sampling takes disjoint 2 by 2 blocks and up-sampling repeats them, so output cell i covers
    exactly the pixels 4i to 4i+3 and no layer shifts the picture.
    """

    settings_class = PlainUNetSettings
    settings: PlainUNetSettings
    light_mean: Tensor
    light_spread: Tensor

    def __init__(self, settings: ArchitectureSettings) -> None:
        super().__init__(settings)
        self.settings = settings = PlainUNetSettings.model_validate(settings)
        stem, fine, middle, deep = (
            settings.stem_channels,
            settings.fine_channels,
            settings.middle_channels,
            settings.deep_channels,
        )
        self.register_buffer("light_mean", torch.tensor(_LIGHT_MEAN).view(1, 3, 1, 1))
        self.register_buffer("light_spread", torch.tensor(_LIGHT_SPREAD).view(1, 3, 1, 1))
        self.stem = _stack(ConvolutionBlock(3, stem, 4, 2), ConvolutionBlock(stem, stem))
        self.fine = _stack(_down(stem, fine), ConvolutionBlock(fine, fine), ConvolutionBlock(fine, fine))
        self.middle = _stack(
            _down(fine, middle), ConvolutionBlock(middle, middle), ConvolutionBlock(middle, middle)
        )
        self.deep = _stack(
            _down(middle, deep), ConvolutionBlock(deep, deep), ConvolutionBlock(deep, deep, kernel=1)
        )
        self.deep_to_middle = ConvolutionBlock(deep, middle, kernel=1)
        self.merge_middle = ConvolutionBlock(middle, middle)
        self.middle_to_fine = ConvolutionBlock(middle, fine, kernel=1)
        self.merge_fine = ConvolutionBlock(fine, settings.merged_channels)
        self.hidden = ConvolutionBlock(settings.merged_channels, settings.hidden_channels, kernel=1)
        self.outputs = nn.Conv2d(settings.hidden_channels, _OUTPUT_CHANNELS, 1)
        self.region = nn.Conv2d(middle, len(REGION_CLASSES), 1)
        _start(self)

    def with_features(self, rgb: Tensor) -> tuple[NetworkOutput, Tensor]:
        """Return the raw outputs and the merged features behind them; see `Network`."""
        fine, middle = self._merged(rgb)
        # The last layers keep their own precision: in bf16 a logit would have only 8 bits and tie often.
        outputs = self.outputs(self.hidden(fine).to(self.outputs.weight.dtype))
        region = _doubled(self.region(middle.to(self.region.weight.dtype)))
        centre, offset, kind, stain = outputs.split((1, 2, len(FINE_CLASSES), len(STAIN_CLASSES)), dim=1)
        return NetworkOutput(centre, offset, kind, stain, region), fine

    def last_features(self, rgb: Tensor) -> Tensor:
        """Return what the outputs are made from; see `Network`."""
        fine, _ = self._merged(rgb)
        return torch.cat((fine, self.hidden(fine)), dim=1)

    def _merged(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Return the merged features at every fourth and every eighth pixel."""
        light = (rgb.to(self.light_mean.dtype) - self.light_mean) / self.light_spread
        fine = self.fine(self.stem(light))
        middle = self.middle(fine)
        middle = self.merge_middle(middle + _doubled(self.deep_to_middle(self.deep(middle))))
        return self.merge_fine(fine + _doubled(self.middle_to_fine(middle))), middle

    def lower_precision(self, number_type: torch.dtype) -> None:
        """Compute everything but the last layers in `number_type`."""
        self.to(number_type)
        self.outputs.float()
        self.region.float()


def _stack(*blocks: nn.Module) -> nn.Sequential:
    return nn.Sequential(*blocks)


def _down(channels_in: int, channels_out: int) -> ConvolutionBlock:
    return ConvolutionBlock(channels_in, channels_out, kernel=2, stride=2)


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


def _start(network: PlainUNet) -> None:
    """He initialisation; the centre starts out rare, as Lin et al. 2017 advise for focal losses."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for head in (network.outputs, network.region):
        nn.init.normal_(head.weight, std=0.01)
        assert head.bias is not None
        nn.init.zeros_(head.bias)
    assert network.outputs.bias is not None
    nn.init.constant_(network.outputs.bias[:1], -4.0)
