"""Where worker processes come from: one clean process that has imported torch, forked for each.

It is started before the driver's own imports, which take seconds, so that both go on at once. Nothing is
computed in it, and polars, which starts threads when it is imported, is left to the workers.
"""

import multiprocessing
import signal
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

_METHODS = multiprocessing.get_all_start_methods()


def warm_up() -> None:
    """Begin the imports, where the system can fork."""
    if "forkserver" in _METHODS:
        multiprocessing.set_forkserver_preload(["torch", "jaxtyping", "simonides.base"])
        # a Ctrl-C is the driver's to tell of; it ends its workers itself. The tracker, which the next call would
        # start, takes the block off again
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def context() -> BaseContext:
    """How worker processes are started here."""
    return multiprocessing.get_context("forkserver" if "forkserver" in _METHODS else "spawn")
