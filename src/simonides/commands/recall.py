"""`recall`: a table of facts in one matrix or in a trained transformer, asked from the command line."""

import json
import math
import sys
from dataclasses import asdict
from typing import Any

from simonides import options as given
from simonides.base import SimonidesError, check_memory
from simonides.data import FactTable
from simonides.papers.facts.fact_memory import Answer, FactMemory
from simonides.papers.facts.trained_facts import TrainedFacts
from simonides.tasks import read_facts


def recall(options: given.Recall) -> int:
    """Store a table and ask it."""
    table = read_facts(options.table, options.delimiter, options.header, options.repeats)
    if table.left_out:
        print(f"{table.name}: {table.left_out} rows left out, whose key had come before", file=sys.stderr)
    if table.first_row:
        print(
            f"{table.name}: the first row was taken as {table.first_row} (--header True or False)", file=sys.stderr
        )
    if options.model == "transformer":
        return _trained(options, table)
    memory = FactMemory.store(
        table, d=options.d, seed=options.seed, embedding=options.embedding, rule=options.rule
    )
    answers = [memory.ask(key, options.top) for key in options.keys or _examples(memory)]
    expected = memory.expected_right
    if options.json:
        print(
            json.dumps(
                {
                    "table": table.name,
                    "facts": len(table),
                    "answers": len(table.answers),
                    "d": memory.d,
                    "right": memory.right,
                    "expected_right": expected,
                    "asked": [_as_json(answer) for answer in answers],
                },
                indent=1,
                ensure_ascii=False,
            )
        )
        return 0
    for answer in answers:
        best = ", ".join(f"{name} {score:.2f}" for name, score in answer.best)
        mark = "right" if answer.right else f"wrong, stored was {answer.expected}"
        print(f"{answer.key}: {best}  (margin {answer.margin:+.2f}, {mark})")
    print(
        f"{memory.right} of {len(table)} facts recalled from one {memory.d} x {memory.d} matrix"
        f" ({len(table.answers)} different answers)."
    )
    if expected is not None:
        print(
            f"Theory expects {expected:.1f} at this d and N, and d = {memory.width_needed()} for 99 % "
            "of this table by outer products."
        )
    return 0


def _trained(options: given.Recall, table: FactTable) -> int:
    if (options.embedding, options.rule) != ("sphere", "outer_products"):
        raise SimonidesError("--embedding and --rule are for the matrix; leave them out with --model transformer.")
    for key in options.keys:
        table.row_of(key)  # a misspelt key is told before the training
    # weights, gradients and moments, and the answers of every fact
    needed = 16 * 6 * options.d**2 + 8 * len(table) * (options.d + len(table.answers))
    check_memory(f"d = {options.d} and {len(table)} facts need", needed, "give a smaller d")
    show = sys.stderr.isatty() and not options.json
    known = TrainedFacts.train(table, options.d, options.seed, options.steps, progress=show)
    answers = [known.ask(key, options.top) for key in options.keys or table.keys[:3]]
    astray = known.hallucinating
    worst = int(astray.argmax())
    if options.json:
        found = {
            "table": table.name,
            "facts": len(table),
            "answers": len(table.answers),
            "d": options.d,
            "parameters": known.parameters,
            "steps": known.steps[-1],
            "right": known.right,
            "hallucinating": {"step": known.steps[worst], "share": float(astray[worst])},
            "asked": [asdict(answer) for answer in answers],
        }
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    for answer in answers:
        best = ", ".join(f"{name} {p:.2f}" for name, p in answer.best)
        print(f"{answer.key}: {best}  ({'right' if answer.right else f'wrong, the table has {answer.expected}'})")
        if (stage := answer.hallucinated) is not None:
            print(
                f"  after {stage.step} steps it said {stage.said} ({stage.probability:.2f}): an answer to this "
                f"relation for another subject, {stage.distance:.2f} away from p(a | r)"
            )
        if answer.known_from is not None:
            print(f"  right since step {answer.known_from}")
    print(
        f"{known.right} of {len(table)} facts recalled by a one-layer transformer of {known.parameters:,} trained "
        f"weights after {known.steps[-1]} steps ({len(table.answers)} different answers)."
    )
    if astray[worst] > 0:
        print(
            f"It hallucinated most after {known.steps[worst]} steps: {astray[worst]:.0%} of its answers fitted "
            "the relation and belonged to another subject."
        )
    return 0


def _as_json(answer: Answer) -> dict[str, Any]:
    return {
        "key": answer.key,
        "expected": answer.expected,
        "best": answer.best,
        "margin": answer.margin if math.isfinite(answer.margin) else None,  # infinite without a rival
        "right": answer.right,
    }


def _examples(memory: FactMemory) -> list[str]:
    """A few keys to show when none was asked for: the first three, and up to two that were forgotten."""
    forgotten = (~memory.recalled).nonzero()[:, 0].tolist()[:2]
    return [memory.table.keys[row] for row in dict.fromkeys([*range(min(3, len(memory.table))), *forgotten])]
