"""Run every benchmark and write benchmarks/results.md."""

import platform
from pathlib import Path

import torch

from benchmarks import (
    capacity,
    checkpoints,
    counting,
    facts,
    imbalance,
    induction,
    lab,
    multi_index,
    numbers,
    physics,
    recall,
    teleportation,
    training,
)
from benchmarks.timing import HotPath
from simonides.lab.environment import environment


def main() -> None:
    torch.set_num_threads(1)
    machine = environment()
    text = [
        "# Benchmarks",
        "",
        "Measured by `make bench`: one thread, medians of interleaved rounds. On a shared machine: read ratios.",
        "",
        f"Processor {machine['processor']} ({torch.backends.cpu.get_cpu_capability()}), torch {machine['torch']}, "
        f"Python {platform.python_version()}.",
        "",
    ]
    table = ["| hot path | floor | floor alone | measured | ratio |", "| --- | --- | --- | --- | --- |"]
    parts: list[str] = []
    for module in (
        recall,
        capacity,
        training,
        induction,
        facts,
        counting,
        imbalance,
        teleportation,
        multi_index,
        numbers,
        physics,
        checkpoints,
        lab,
    ):
        parts += ["", f"## {module.__name__.split('.')[-1]}", "", (module.__doc__ or "").strip(), ""]
        for line in module.lines():
            print(line, flush=True)
            if isinstance(line, HotPath):
                table.append(line.row)
            else:
                parts.append(f"- {line}")
    (Path(__file__).parent / "results.md").write_text("\n".join([*text, *table, *parts]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
