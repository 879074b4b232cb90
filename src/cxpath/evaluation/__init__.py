"""How well a model does: real and synthetic sets, figures, and the document that records them."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
