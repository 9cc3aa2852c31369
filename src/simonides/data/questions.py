"""Questions in words with the word that answers each: from a file, or from a table of facts and a template."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from simonides.base import SimonidesError, suggest
from simonides.data.columns import ANSWER, ATTRIBUTE, PATTERN, PROMPT, RELATION, SUBJECT
from simonides.data.fact_table import PACKAGED, packaged
from simonides.data.tables import read_table

# each packaged table as a sentence that its answer completes
TEMPLATES: Mapping[str, str] = {
    "country-capital": "The capital of [X] is",
    "country-continent": "The continent on which [X] lies is",
    "country-currency": "The currency of [X] is the",
    "capital-country": "[X] is the capital of",
    "element-symbol": "The chemical symbol of [X] is",
}


@dataclass(frozen=True, kw_only=True)
class WordQuestions:
    """Prompts that end before a word, and the word; prompts may come more than once.

    Arguments:
        prompts: the texts.
        answers: what follows, without the space between.
        name: where they come from.
        left_out: how many rows of the file are none, by the reason.
        first_row: "a header" or "data" where that was guessed.
        unused: columns of the file that are neither.
    """

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    name: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    first_row: str = ""
    unused: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.prompts)


def read_questions(
    source: str | Path,
    templates: Path | None = None,
    header: bool | None = None,
    columns: Sequence[str | int] | None = None,
) -> WordQuestions:
    """The questions in a table or a file.

    Arguments:
        source: a packaged table such as "country-capital", or the path of a CSV, TSV, JSON Lines or JSON file
            (`simonides.data.read_table` tells the rules) of prompt and answer; with templates one of subject,
            relation and attribute.
        templates: a file of relations and patterns, "[X] is the capital of [Y] ."; of each relation the first is
            taken whose [Y] comes last.
        header: whether the first row names the columns; guessed by default.
        columns: which columns are prompt and answer, or subject, relation and attribute: names, or numbers from 1.

    Raises:
        SimonidesError: when a file cannot be read, or holds no questions.
    """
    if not isinstance(source, (str, Path)):
        raise SimonidesError(f"questions came as {type(source).__name__}; give a table's name or a file's path.")
    name = str(source)
    if name in PACKAGED:
        if templates is not None:
            raise SimonidesError(f"{name} has a template of its own; leave --templates out.")
        if header is not None or columns is not None:
            raise SimonidesError(f"{name} is no file; leave --header and --columns out.")
        table = packaged(name)
        prompts = tuple(TEMPLATES[name].replace("[X]", subject) for subject in table.keys)
        return WordQuestions(prompts=prompts, answers=table.attributes, name=table.name)
    path = Path(source)
    if not path.exists():
        raise SimonidesError(f"questions {name!r} are no file and no table; {suggest(name, PACKAGED)}")
    if templates is None:
        return _asked(path, header, columns)
    return _from_relations(path, _patterns(templates), header, columns)


def _asked(path: Path, header: bool | None, columns: Sequence[str | int] | None) -> WordQuestions:
    """Prompts as they are written, line breaks and all."""
    wanted = (PROMPT, RELATION, ANSWER) if columns is None else (PROMPT, ANSWER)
    table = read_table(path, wanted, header=header, columns=columns)
    if RELATION in table.columns:
        raise SimonidesError(
            f"{path} has relations: give --templates FILE with a pattern for each, or name prompt and answer with "
            "--columns."
        )
    for number, cells in table.rows:
        table.refuse_empty(number, cells)
    prompts, answers = zip(*(cells for _, cells in table.rows), strict=True)
    return WordQuestions(
        prompts=prompts, answers=answers, name=path.name, first_row=table.first_row, unused=table.unused
    )


def _patterns(path: Path) -> dict[str, str]:
    """Of each relation the first pattern whose [Y] comes last, up to it; "" where no pattern does."""
    table = read_table(path, (replace(RELATION, optional=False), PATTERN))
    patterns: dict[str, str] = {}
    for _, (relation, pattern) in table.rows:
        before, mark, after = pattern.partition("[Y]")
        if mark and "[X]" in before and not after.strip(" .") and not patterns.get(relation):
            patterns[relation] = before.strip()
        patterns.setdefault(relation, "")
    if not any(patterns.values()):
        raise SimonidesError(f"{path} has no pattern such as '[X] is the capital of [Y] .', with [Y] last.")
    return patterns


def _from_relations(
    path: Path, patterns: Mapping[str, str], header: bool | None, columns: Sequence[str | int] | None
) -> WordQuestions:
    wanted = (SUBJECT, replace(RELATION, optional=False), ATTRIBUTE)
    table = read_table(path, wanted, header=header, columns=columns)
    prompts, answers = [], []
    left_out: Counter[str] = Counter()
    for _, (subject, relation, attribute) in table.rows:
        if not subject or not attribute:
            left_out["an empty subject or attribute"] += 1
        elif relation not in patterns:
            left_out[f"no pattern for relation {relation}"] += 1
        elif not patterns[relation]:
            left_out[f"no pattern of relation {relation} ends with [Y]"] += 1
        else:
            prompts.append(patterns[relation].replace("[X]", subject))
            answers.append(attribute)
    if not prompts:
        known = ", ".join(relation for relation, pattern in patterns.items() if pattern)
        raise SimonidesError(f"{path}: none of its relations has a pattern with [Y] last; those of {known} have.")
    return WordQuestions(
        prompts=tuple(prompts),
        answers=tuple(answers),
        name=path.name,
        left_out=dict(left_out),
        first_row=table.first_row,
        unused=table.unused,
    )
