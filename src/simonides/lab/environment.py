"""What a number was computed with: recorded beside every point, never part of its identity."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.base import package_version

if TYPE_CHECKING:
    import torch

_PACKAGES = ("simonides", "torch", "numpy", "scipy", "polars")


@cache
def environment() -> dict[str, str]:
    """Versions, processor and, where the package is a git checkout, its commit."""
    versions = {name: package_version(name) for name in _PACKAGES}
    versions |= {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
    }
    if commit := _commit():
        versions["commit"] = commit
    return versions


def described_device(device: "torch.device") -> dict[str, str]:
    """What a device is, and the driver it is used by."""
    import torch

    if device.type != "cuda":
        return {"device": f"{device.type} ({torch.backends.cpu.get_cpu_capability()})"}
    return {
        "device": torch.cuda.get_device_name(device),
        "CUDA": str(torch.version.cuda),
        "driver": _driver(),
    }


def _driver() -> str:
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip().splitlines()[0] if answer.stdout.strip() else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _commit() -> str:
    folder = Path(__file__).parent
    git = ["git", "-C", str(folder)]
    try:
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True, timeout=5)
        if tracked.returncode:
            return ""
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return head.stdout.strip() + (" with uncommitted changes" if changed.stdout.strip() else "")
