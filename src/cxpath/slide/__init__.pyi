from .identity import (
    cache_path as cache_path,
    files_of as files_of,
    forms_of_path as forms_of_path,
    hide_names as hide_names,
    printable as printable,
    pseudonym as pseudonym,
    pseudonym_key as pseudonym_key,
    series_instance_uid as series_instance_uid,
    slide_digest as slide_digest,
)
from .open import (
    SLIDE_SUFFIXES as SLIDE_SUFFIXES,
    open_slide as open_slide,
)
from .pixels import Icc as Icc, SlideSettings as SlideSettings, icc_as_recorded as icc_as_recorded
from .slide import (
    ReaderPath as ReaderPath,
    Slide as Slide,
)
