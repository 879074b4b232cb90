"""Colours as a slide's ICC profile means them: turned into sRGB, by lcms through Pillow.

A scanner that embeds a profile says by it what its red, green and blue are. Whatever reads the slide gets
sRGB, so that slides of different scanners agree. Slides without a profile are read as they are stored.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from cxpath.data import ColourProfile, Settings
from cxpath.slide.privacy import allowed_words

TAG = 34675
"""Of TIFF: InterColorProfile."""

DAMAGED_PROFILE = b"damaged"
"""Stands for a profile that the library which reads the slide could not pass on."""

_GRID = 17
"""Levels a channel at which a profile is compared with sRGB."""
_ROUNDING = 1
"""Grey levels by which a profile may differ from sRGB and still be it."""
_UNUSABLE = "colours are read as they are stored"
PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, TypeError, ValueError, SyntaxError)
"""What Pillow and lcms raise over damaged profiles."""


class Icc(StrEnum):
    """What is done with a slide's ICC profile."""

    APPLY = "apply"
    IGNORE = "ignore"


def icc_as_recorded(use: str | None) -> Icc:
    """Return how to open a slide again so that its colours are those of a result: by its `colour.use`."""
    return Icc.IGNORE if use == "ignored" else Icc.APPLY


class SlideSettings(Settings):
    """Section `[slide]` of the configuration."""

    icc: Icc = Icc.APPLY
    """apply turns colours into sRGB where the slide has an ICC profile; ignore takes them as stored."""


class ColourTransform:
    """From a profile's colours to sRGB. Any number of threads may use it at once.

    Parameters
    ----------
    profile : bytes
        An ICC profile of an RGB device.

    Raises
    ------
    ValueError
        When it is damaged or of another kind.
    """

    def __init__(self, profile: bytes) -> None:
        try:
            read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = read.profile.xcolor_space.strip()
            if space != "RGB":
                raise ValueError(f"it is for {space or 'no colours'}, not RGB")
            self.description = _description(read)
            intent = ImageCms.Intent(ImageCms.getDefaultIntent(read))
            self.intent = intent.name.lower()
            # No cache of the last colour, which threads would share.
            self._transform = ImageCms.buildTransform(
                read, ImageCms.createProfile("sRGB"), "RGB", "RGB", intent, ImageCms.Flags.NOCACHE
            )
        except PROFILE_ERRORS as error:
            raise ValueError(" ".join(str(error).split()) or "it is damaged") from error

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return sRGB, (height, width, 3); white stays white, since beyond the scan nothing has a colour."""
        picture = Image.fromarray(np.ascontiguousarray(rgb))
        turned = np.array(ImageCms.applyTransform(picture, self._transform))
        turned[rgb[..., 0] & rgb[..., 1] & rgb[..., 2] == 255] = 255  # quicker than all(axis=2) by far
        return turned

    @property
    def is_identity(self) -> bool:
        """Whether it leaves all colours as they are, but for rounding: the profile is sRGB."""
        levels = np.linspace(0, 255, _GRID).round().astype(np.uint8)
        cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(_GRID, -1, 3)
        return bool(np.abs(self.apply(cube).astype(np.int16) - cube).max() <= _ROUNDING)


@dataclass(frozen=True)
class ManagedColour:
    """What is done with a slide's colours.

    Parameters
    ----------
    profile : ColourProfile or None
        What is recorded; None for a slide without a profile.
    transform : ColourTransform or None
        None where colours stay as they are stored.
    warnings : tuple of str
    """

    profile: ColourProfile | None = None
    transform: ColourTransform | None = None
    warnings: tuple[str, ...] = ()


def managed_colour(profile: bytes, icc: Icc) -> ManagedColour:
    """Return what is done with a slide that has this profile; empty: none.

    A profile that cannot be used is left out with a warning: colours are then as those of the many slides
    that state none.
    """
    if not profile:
        return ManagedColour()
    digest = hashlib.sha256(profile).hexdigest()
    try:
        transform = ColourTransform(profile)
        identity = transform.is_identity
    except PROFILE_ERRORS as error:
        warning = f"the slide's ICC profile cannot be used: {str(error)[:100]}; {_UNUSABLE}"
        known = "" if profile == DAMAGED_PROFILE else digest
        return ManagedColour(ColourProfile("", known, "", "unusable"), None, (warning,))
    use: Literal["ignored", "identity", "applied"]
    use = "ignored" if icc is Icc.IGNORE else "identity" if identity else "applied"
    record = ColourProfile(transform.description, digest, transform.intent, use)
    return ManagedColour(record, transform if use == "applied" else None)


def _description(profile: ImageCms.ImageCmsProfile) -> str:
    """Return the profile's name if it may leave: a scanner's serial number in it must not."""
    return allowed_words(ImageCms.getProfileDescription(profile).strip())
