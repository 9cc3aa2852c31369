"""Run every benchmark and write benchmarks/results.md."""

import platform
from pathlib import Path

import torch

from benchmarks import capacity, checkpoints, facts, induction, lab, recall, training
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
    ]
    for module in (recall, capacity, training, induction, facts, checkpoints, lab):
        text += ["", f"## {module.__name__.split('.')[-1]}", "", (module.__doc__ or "").strip(), ""]
        for line in module.lines():
            print(line, flush=True)
            text.append(f"- {line}")
    (Path(__file__).parent / "results.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
