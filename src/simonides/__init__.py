"""simonides: a laboratory for memory in transformer weights.

The names below load on first use, so that `import simonides` costs nothing.
"""

from pathlib import Path

import lazy_loader

from simonides.lab import register
from simonides.papers import DEMO, TALK

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]

_HERE = Path(__file__).parent
register(_HERE / "papers", {"talk": TALK, "demo": DEMO}, results=_HERE / "results")
