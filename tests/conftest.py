import re

import jaxtyping
import pytest
import torch
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One worker does all tests of a claim, which is measured once for them, and all of a cluster."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            if claim := re.search(r"test_claims\.py::.*\[(.*)\]", nodeid):
                return claim.group(1)
            return nodeid.split("::")[0] if "engines" in nodeid else nodeid

    return Scheduler(config, log)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def unchecked():
    """As users run it: without run-time checks of shapes, so that our own messages are reached."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def simonides(capsys):
    """The command line: its words give the exit code, and what was said on both streams."""
    from simonides.cli import main  # not before the run-time checks of shapes are put in place

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out = capsys.readouterr()
        return stopped.value.code, out.out, out.err

    return run
