"""A SLURM cluster of one node on this machine: munged, slurmctld and slurmd as children of the test process."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")


def missing() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextlib.contextmanager
def cluster(root: Path) -> Iterator[dict[str, str]]:
    """Bring it up below `root`; yields the environment in which SLURM's commands find it."""
    for name in ("state", "spool"):
        (root / name).mkdir()
    # munged wants every folder above its socket to belong to root and to be closed to writing
    munge = Path(f"/run/simonides-test-{os.getpid()}")
    munge.mkdir(mode=0o755)
    key = munge / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    host = socket.gethostname().split(".")[0]
    conf = root / "slurm.conf"
    conf.write_text(
        "\n".join(
            [
                "ClusterName=test",
                f"SlurmctldHost={host}(127.0.0.1)",
                f"SlurmctldPort={_free_port()}",
                f"SlurmdPort={_free_port()}",
                "SlurmUser=root",
                "AuthType=auth/munge",
                f"AuthInfo=socket={munge}/socket",
                f"StateSaveLocation={root}/state",
                f"SlurmdSpoolDir={root}/spool",
                f"SlurmctldPidFile={root}/slurmctld.pid",
                f"SlurmdPidFile={root}/slurmd.pid",
                "ProctrackType=proctrack/linuxproc",
                "TaskPlugin=task/none",
                "SelectType=select/cons_tres",
                "SchedulerType=sched/builtin",
                "DefMemPerCPU=900",
                "ReturnToService=2",
                "KillWait=1",
                f"NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory=2000 State=UNKNOWN",
                "PartitionName=short Nodes=ALL Default=YES MaxTime=60 State=UP",
                "",
            ]
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    commands = [
        ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}/socket"]
        + [f"--{name}-file={munge}/{name}" for name in ("pid", "log", "seed")],
        ["slurmctld", "-D", "-i", "-f", str(conf)],
        ["slurmd", "-D", "-f", str(conf), "-N", host],
    ]
    with (root / "daemons.log").open("w") as log:
        daemons = [subprocess.Popen(command, env=environment, stdout=log, stderr=log) for command in commands]
        try:
            deadline = time.monotonic() + 30
            sinfo = ["sinfo", "--noheader", "--format=%T"]
            while "idle" not in subprocess.run(sinfo, env=environment, capture_output=True, text=True).stdout:
                assert time.monotonic() < deadline, (root / "daemons.log").read_text()
                time.sleep(0.2)
            yield environment
        finally:
            subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True)
            squeue = ["squeue", "--noheader", "--states=all", "--format=%T"]
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and {"RUNNING", "COMPLETING"} & set(
                subprocess.run(squeue, env=environment, capture_output=True, text=True).stdout.split()
            ):
                time.sleep(0.2)
            for daemon in daemons[::-1]:
                daemon.terminate()
            for daemon in daemons[::-1]:
                try:
                    daemon.wait(20)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
            shutil.rmtree(munge)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
