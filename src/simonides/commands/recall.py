"""`recall`: a table of facts in one matrix, asked from the command line."""

import json
import math
import sys
from typing import Any

from simonides import options as given
from simonides.facts import Answer, FactMemory, read_facts


def recall(options: given.Recall) -> int:
    """Store a table and ask it."""
    table = read_facts(options.table, delimiter=options.delimiter, header=options.header)
    if table.first_row:
        print(
            f"{table.name}: the first row was taken as {table.first_row} (--header True or False)", file=sys.stderr
        )
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
