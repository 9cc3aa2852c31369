"""Physics: a training step of the mini AViT against a plain port of the released block; solvers; windows from a file.

The step is forward and backward of 16 windows of 4 frames and 2 fields at 64 x 64 in patches of 8, interleaved with the
port; its floor is the matrix products of both passes.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.plain_avit import PlainAViT
from benchmarks.timing import HotPath, interleaved
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.avit_config import paper_config
from simonides.papers.physics.converting import write_folder
from simonides.papers.physics.opening import open_sources
from simonides.papers.physics.simulating import simulate
from simonides.papers.physics.windows import pools

_PERIODIC = (("periodic", "periodic"), ("periodic", "periodic"))


def lines() -> Iterator[str | HotPath]:
    generator = torch.Generator().manual_seed(0)
    window = torch.randn(16, 4, 2, 64, 64, generator=generator)
    by_time = window.movedim(0, 1).contiguous()
    port = PlainAViT(2, 96, 3, 4, 8)
    model = AViT(paper_config("mini", ("a:x", "a:y"), patch=8, predict="state"), generator)

    def ours() -> None:
        model.zero_grad()
        model(window, ["a:x", "a:y"], _PERIODIC).square().mean().backward()

    def theirs() -> None:
        port.zero_grad()
        port(by_time, [0, 1], (True, True)).square().mean().backward()

    with FlopCounterMode(display=False) as counter:
        ours()
    side = 1024
    left, right = torch.randn(side, side), torch.randn(side, side)
    count = max(counter.get_total_flops() // (2 * side**3), 1)

    def products() -> None:
        for _ in range(count):
            left @ right

    seconds = interleaved({"products": products, "ours": ours, "port": theirs})
    own, plain = seconds["ours"], seconds["port"]
    yield HotPath(
        name="step of the mini AViT, 16 windows at 64 x 64",
        floor="its matrix products",
        seconds=own,
        least=seconds["products"],
    )
    yield f"step of the mini AViT: {own:.3f} s, {own / plain:.2f} of a plain port of the released model ({plain:.3f} s)"
    for system in ("shallow-water", "diffusion-reaction", "incompressible", "compressible"):
        for cells in (32, 64):
            begun = time.perf_counter()
            simulate(system, 8, torch.Generator().manual_seed(0), cells=cells)
            yield f"{system}, {cells} x {cells}: {(time.perf_counter() - begun) / 8:.3f} s a trajectory, 8 at once"
    found = simulate("incompressible", 10, torch.Generator().manual_seed(0), cells=64, frames=21)
    with tempfile.TemporaryDirectory() as place:
        (pool,) = pools(open_sources(write_folder(Path(place) / "flow", [found])), "train", 4)
        pool.batch(range(len(pool)))
        begun = time.perf_counter()
        for _ in range(10):
            pool.batch(range(len(pool)))
        rate = 10 * len(pool) / (time.perf_counter() - begun)
        yield f"windows of 4 + 1 frames, 3 fields, 64 x 64 from a warm file of The Well: {rate:,.0f} a second"
