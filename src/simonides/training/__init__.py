"""How weights move: one loop, optimisers, stacked runs, flows."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
