"""The Ray engine: measures stacks as tasks of an existing Ray cluster.

A node that sees the store writes to it; from one that does not the rows come back through Ray, and the
driver writes them. Nodes need this version of the package; a claim file of one's own travels with its tasks.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError, check_not_negative
from simonides.lab.engines import OnOutcome
from simonides.lab.measuring import Measured, Outcome, Task, failure, keep, measure, measure_into
from simonides.lab.store import Store

_TRIES = 3
# beyond what runs at once, so that a worker never waits for the driver
_AHEAD = 2


@dataclass(frozen=True, kw_only=True)
class Ray:
    """A Ray cluster that is there already.

    Arguments:
        address: "auto" finds a cluster on this machine, or host:port, or ray://host:10001 for a remote one.
        cpus: cores that Ray sets aside for each task.
        gpus: GPUs, or a share of one, for each task.
        memory: GiB for each task; 0 sets none aside.
        workers: tasks at once at most; 0 as many as the cluster takes.
    """

    address: str = "auto"
    cpus: float = 1
    gpus: float = 0
    memory: float = 0
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("cpus", "gpus", "memory", "workers"):
            check_not_negative(f"--{name}", getattr(self, name))

    def check(self) -> None:
        """Connect to the cluster.

        Raises:
            SimonidesError: where Ray is not installed, no cluster answers, or none of its nodes has what a task
                asks for.
        """
        ray = _ray()
        try:
            _knock(self.address)
            _connect(ray, self.address)
        except Exception as error:  # ray raises ConnectionError, ValueError, RuntimeError, ...
            raise SimonidesError(
                f"no Ray cluster answers at {self.address!r} ({str(error).strip().splitlines()[0]}); "
                "start one with: ray start --head, or give --address."
            ) from None
        wanted = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory * 2**30}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(kind, 0) >= amount for kind, amount in wanted.items()) for node in nodes):
            ray.shutdown()
            asked = ", ".join(f"--{name} {getattr(self, name):g}" for name in ("cpus", "gpus", "memory"))
            raise SimonidesError(f"no node of the Ray cluster has what a task asks for ({asked}); ask for less.")

    def run(self, tasks: Sequence[Task], root: Path, on_outcome: OnOutcome) -> None:
        """Measure all tasks; those of a node that dies are measured on another."""
        ray = _ray()
        store = Store(root)
        remote = ray.remote(
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            memory=int(self.memory * 2**30) or None,
            max_retries=_TRIES,
            scheduling_strategy="SPREAD",
        )(_measure_on_node)
        waiting, running = list(tasks), dict[Any, Task]()
        most = self.workers or _AHEAD + int(ray.cluster_resources().get("CPU", 1) / max(self.cpus, 0.1))
        try:
            while waiting or running:
                while waiting and len(running) < most:
                    task = waiting.pop()
                    running[remote.remote(task, root.resolve(), store.identity)] = task
                done, _ = ray.wait(list(running), num_returns=1)
                for reference in done:
                    task = running.pop(reference)
                    on_outcome(_outcome(ray, reference, task, store))
        finally:
            # ends the job, and with it what is in flight: to cancel a task whose answer is just arriving
            # aborts this process (a failed check in Ray's task manager)
            ray.shutdown()


def _outcome(ray: Any, reference: Any, task: Task, store: Store) -> Outcome:
    try:
        outcome: Measured | Outcome = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # a store that cannot be written; all else is an outcome
    except ray.exceptions.RayError as error:
        outcome = failure(task, f"its worker was lost {_TRIES + 1} times ({type(error).__name__})", str(error))
    return keep(outcome, store) if isinstance(outcome, Measured) else outcome


def _measure_on_node(task: Task, root: Path, identity: str) -> Measured | Outcome:
    shared = root.is_dir() and Store(root).identity == identity
    return measure_into(root, task) if shared else measure(task)


def _connect(ray: Any, address: str) -> None:
    """Join the cluster; a remote client is given up on after 30 s, which a busy head may need to start."""
    for left in reversed(range(_TRIES if address.startswith("ray://") else 1)):
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            return
        except (ConnectionError, RuntimeError):
            if not left:
                raise


def _knock(address: str) -> None:
    """Raise `OSError` where nothing listens: Ray itself goes on trying for minutes."""
    if address != "auto":
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if not host or not port.isdigit():
            raise OSError("an address is HOST:PORT or ray://HOST:PORT")
        socket.create_connection((host, int(port)), timeout=10).close()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise SimonidesError("the engine ray needs Ray; install it with: pip install 'simonides[ray]'") from None
    return ray
