"""How claims are planned, run, judged and reported; knows no science.

What a claim file needs is named here. The names load on first use: `simonides list` needs none of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
