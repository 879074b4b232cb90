"""A patient's biomarkers and the therapy criteria they meet. Pure."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
