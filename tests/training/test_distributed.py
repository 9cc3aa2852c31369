"""Two processes, started as torchrun does, equal one that accumulates."""

import os
import socket
import subprocess
import sys

import torch

WORKER = """
import os, sys, torch
from torch import distributed, nn
from simonides.training import Adam, Checkpoint, Records, Update, fit

if "RANK" in os.environ:
    distributed.init_process_group("gloo")
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

def loss(model, batch):
    return nn.functional.cross_entropy(model(batch), batch[:, :3].argmax(1))

from pathlib import Path
fit(
    model, loss, lambda g: torch.randn(16, 4, generator=g), lambda p: Adam(p, 0.05), 12,
    torch.Generator().manual_seed(1), Update(accumulate=4, clip=0.5), Records(every=5),
    Checkpoint(path=Path(sys.argv[1]), every=6),
)
"""


def test_two_processes_equal_one_with_accumulation(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run([sys.executable, script, tmp_path / "one"], check=True, timeout=120)
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    workers = [
        subprocess.Popen(
            [sys.executable, script, tmp_path / "two"], env={**os.environ, **shared, "RANK": str(rank)}
        )
        for rank in range(2)
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    from safetensors.torch import load_file

    one, two = (load_file(tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=1e-4, atol=1e-5)
