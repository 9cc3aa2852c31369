"""The SLURM engine: an array job whose tasks each measure a chunk of the stacks into a shared store.

What runs is what the store lacks, so a task that is killed, preempted or out of time is put back in the queue
and goes on where it was. The driver only watches the store and the queue: it may go away and come again.
"""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError, check_at_least, check_not_negative
from simonides.lab.engines import OnOutcome
from simonides.lab.measuring import Outcome, Task, glimpse_of, measure_into
from simonides.lab.point import Point
from simonides.lab.store import Store, Stored

_JOBS = ".slurm"
_POLL = 3.0
# a shared file system may show a file on another machine some seconds after it was written
_GRACE = 10.0
# without a number given; a scheduler is kinder to tens of tasks than to thousands
_TASKS = 32
_SIGNAL_AHEAD = 90


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """A SLURM cluster that this machine can submit to, and that shares the store's folder.

    Arguments:
        partition: where to submit; None leaves it to the cluster.
        minutes: time limit of each task of the array. One that reaches it goes back into the queue.
        cpus: cores for each task, a whole number.
        gpus: GPUs for each task.
        memory: GiB for each task; 0 leaves it to the cluster.
        workers: tasks of the array; 0 takes up to 32.
    """

    partition: str | None = None
    minutes: int = 60
    cpus: float = 1
    gpus: float = 0
    memory: float = 0
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("cpus", "gpus", "memory", "workers"):
            check_not_negative(f"--{name}", getattr(self, name))
        for name in ("cpus", "gpus"):
            if not float(getattr(self, name)).is_integer():
                raise SimonidesError(f"--{name} is {getattr(self, name)}; SLURM gives whole ones only.")
        check_at_least("--cpus", int(self.cpus), 1)
        check_at_least("--minutes", self.minutes, 1)

    def check(self) -> None:
        """Ask the scheduler whether it would take such a job.

        Raises:
            SimonidesError: where submitit or SLURM is not installed, or the scheduler refuses.
        """
        _submitit()
        if shutil.which("sbatch") is None:
            raise SimonidesError(
                "the engine slurm needs the command sbatch, which is not here; run on a machine that can submit "
                "to your cluster."
            )
        asked = [f"--time={self.minutes}", f"--cpus-per-task={self.cpus:.0f}"]
        asked += [f"--partition={self.partition}"] if self.partition else []
        asked += [f"--mem={_megabytes(self.memory)}"] if self.memory else []
        asked += [f"--gpus-per-node={self.gpus:.0f}"] if self.gpus else []
        done = subprocess.run(
            ["sbatch", "--test-only", *asked, "--wrap=true"], capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix(
                "allocation failure: "
            )
            raise SimonidesError(f"SLURM would not take such a job ({' '.join(asked)}): {reason}.")
        if self.minutes > (longest := _longest(self.partition)):
            raise SimonidesError(
                f"--minutes {self.minutes} is more than the {longest:.0f} minutes that the partition allows."
            )

    def run(self, tasks: Sequence[Task], root: Path, on_outcome: OnOutcome) -> None:
        """Submit what no earlier job of this store is at already, and watch until all have ended.

        Raises:
            KeyboardInterrupt: when stopped, with a word on the jobs that go on.
        """
        store = Store(root.resolve())
        busy = _in_hand(store)
        fresh = [task for task in tasks if not task.missing <= busy]
        if fresh:
            for point in _points(fresh):
                store.forget_failure(point)
            self._submit(fresh, store)
        try:
            all_ended_well = _watch(tasks, store, on_outcome)
        except KeyboardInterrupt:
            names = " ".join(job["id"] for job in _jobs_of(store) if _in_queue(job["id"]))
            raise KeyboardInterrupt(
                f"stopped watching; SLURM goes on with job {names}. The same command watches again, "
                f"scancel {names} ends it."
            ) from None
        _forget_ended_jobs(store, logs=all_ended_well)

    def _submit(self, tasks: Sequence[Task], store: Store) -> None:
        submitit = _submitit()
        folder = store.root / _JOBS
        executor = submitit.AutoExecutor(folder=folder / "logs", cluster="slurm")
        count = min(self.workers or _TASKS, len(tasks))
        executor.update_parameters(
            name="simonides",
            timeout_min=self.minutes,
            cpus_per_task=int(self.cpus),
            slurm_array_parallelism=count,
            slurm_signal_delay_s=_SIGNAL_AHEAD,
            slurm_additional_parameters={"requeue": True},
            **({"slurm_partition": self.partition} if self.partition else {}),
            **({"mem_gb": self.memory} if self.memory else {}),
            **({"gpus_per_node": int(self.gpus)} if self.gpus else {}),
        )
        # dealt out in turn: neighbours in a grid take about as long
        chunks = [tuple(tasks[start::count])[::-1] for start in range(count)]
        jobs = executor.map_array(Chunk(root=store.root, identity=store.identity), chunks)
        job = jobs[0].job_id.split("_")[0]
        keys = [point.key for point in _points(tasks)]
        (folder / f"{job}.json").write_text(json.dumps({"id": job, "keys": keys}) + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """What a task of the array does: measure what the store still lacks of its stacks."""

    root: Path
    identity: str | None

    def __call__(self, tasks: Sequence[Task]) -> int:
        """Measure the stacks; returns how many there were to measure."""
        store = Store(self.root)
        if store.identity != self.identity:
            raise SimonidesError(f"this node does not see the store {self.root}; put it on a shared file system.")
        done = 0
        for task in tasks:
            if all(isinstance(store.read(point), Stored) for point in task.wanted):
                continue
            measure_into(self.root, task)
            done += 1
        return done

    def checkpoint(self, tasks: Sequence[Task]) -> object:
        """What submitit puts back in the queue when the time runs out or the task is preempted: the same."""
        return _submitit().helpers.DelayedSubmission(self, tasks)


def _watch(tasks: Iterable[Task], store: Store, on_outcome: OnOutcome) -> bool:
    """Tell of every point once it is in the store or has failed; whether none was lost without a word."""
    waited = {point.key: (task, point) for task in tasks for point in task.wanted}
    last_in_hand = time.monotonic()
    while waited:
        if waited.keys() & _in_hand(store):
            last_in_hand = time.monotonic()
        for outcome in list(_ended(waited, store)):
            on_outcome(outcome)
        if waited and time.monotonic() > last_in_hand + _GRACE:
            for task, point in waited.values():
                why = f"its SLURM task ended without it; see the logs in {store.root / _JOBS / 'logs'}"
                store.write_failure(point, why)
                on_outcome(Outcome(claim=task.file.id, failed=((str(point), why),)))
            return False
        if waited:
            time.sleep(_POLL)
    return True


def _ended(waited: dict[str, tuple[Task, Point]], store: Store) -> Iterator[Outcome]:
    by_claim: dict[str, list[str]] = {}
    for key, (task, _) in waited.items():
        by_claim.setdefault(task.file.id, []).append(key)
    for claim, keys in by_claim.items():
        present, failures = store.listing(claim)
        finished = [waited.pop(key)[1] for key in keys if key in present]
        failed = [waited.pop(key)[1] for key in keys if key in failures and key not in present]
        if not finished and not failed:
            continue
        last = store.read(finished[-1]) if finished else None
        yield Outcome(
            claim=claim,
            computed=len(finished),
            failed=tuple((str(point), store.read_failure(point) or "") for point in failed),
            glimpse=f"{finished[-1]}: {glimpse_of(last.rows)}" if isinstance(last, Stored) else "",
        )


def _jobs_of(store: Store) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in (store.root / _JOBS).glob("*.json")]


def _in_hand(store: Store) -> set[str]:
    """The keys of all points that a job in the queue is at, or will be."""
    return {key for job in _jobs_of(store) if _in_queue(job["id"]) for key in job["keys"]}


def _forget_ended_jobs(store: Store, logs: bool) -> None:
    """Remove the records of ended jobs, and their logs as well where nobody will want them."""
    deadline = time.monotonic() + _GRACE  # a task leaves the queue some seconds after its last point
    while any(_in_queue(job["id"]) for job in _jobs_of(store)) and time.monotonic() < deadline:
        time.sleep(1)
    for job in _jobs_of(store):
        if _in_queue(job["id"]):
            continue
        folder = store.root / _JOBS
        with contextlib.suppress(OSError):
            (folder / f"{job['id']}.json").unlink()
            for path in (folder / "logs").glob(f"{job['id']}_*") if logs else ():
                path.unlink()


def _in_queue(job: str) -> bool:
    done = subprocess.run(["squeue", "--noheader", "--jobs", job], capture_output=True, text=True, timeout=60)
    if done.returncode and "Invalid job id" not in done.stderr:
        return True  # the scheduler does not answer: it may be restarting
    return bool(done.stdout.strip())


def _longest(partition: str | None) -> float:
    """Minutes that a partition, or the default one, lets a job run."""
    asked = ["sinfo", "--noheader", "--format=%P %l", *([f"--partition={partition}"] if partition else [])]
    lines = subprocess.run(asked, capture_output=True, text=True, timeout=60).stdout.splitlines()
    limits = [limit for name, limit in map(str.split, lines) if partition or name.endswith("*")]
    if not limits or not limits[0][0].isdigit():
        return float("inf")
    days, _, clock = limits[0].rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes, seconds = [0] * (3 - len(parts)) + parts
    return 24 * 60 * int(days or 0) + 60 * hours + minutes + seconds / 60


def _points(tasks: Iterable[Task]) -> list[Point]:
    return [point for task in tasks for point in task.wanted]


def _megabytes(gibibytes: float) -> str:
    return f"{gibibytes * 1024:.0f}M"


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise SimonidesError(
            "the engine slurm needs submitit; install it with: pip install 'simonides[slurm]'"
        ) from None
    return submitit
