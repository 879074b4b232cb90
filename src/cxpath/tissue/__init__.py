"""Where there is tissue on a slide, how it is stained, and what makes it unreadable."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
