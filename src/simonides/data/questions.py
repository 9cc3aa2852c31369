"""Questions in words with the word that answers each: from a file, or from a table of facts and a template."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simonides.base import SimonidesError, read_text, suggest
from simonides.data.fact_table import PACKAGED, packaged

# each packaged table as a sentence that its answer completes
TEMPLATES: Mapping[str, str] = {
    "country-capital": "The capital of [X] is",
    "country-continent": "The continent on which [X] lies is",
    "country-currency": "The currency of [X] is the",
    "capital-country": "[X] is the capital of",
    "element-symbol": "The chemical symbol of [X] is",
}
# the names of two columns, in a first row
_HEADERS = [
    {asked, told}
    for asked in ("prompt", "question", "subject", "key")
    for told in ("answer", "attribute", "value", "completion")
]


@dataclass(frozen=True, kw_only=True)
class WordQuestions:
    """Prompts that end before a word, and the word; prompts may come more than once.

    Arguments:
        prompts: the texts.
        answers: what follows, without the space between.
        name: where they come from.
    """

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    name: str

    def __len__(self) -> int:
        return len(self.prompts)


def read_questions(source: str | Path, templates: Path | None = None) -> WordQuestions:
    """The questions in a table or a file.

    Arguments:
        source: a packaged table such as "country-capital"; a .jsonl file of objects with "prompt" and "answer";
            a CSV or TSV of two columns, prompt and answer; with templates one of subject, relation, attribute.
        templates: a CSV or TSV of relations and patterns, "[X] is the capital of [Y] ."; of each relation the
            first is taken whose [Y] comes last.

    Raises:
        SimonidesError: when a file cannot be read, or holds no questions.
    """
    name = str(source)
    if name in PACKAGED:
        if templates is not None:
            raise SimonidesError(f"{name} has a template of its own; leave --templates out.")
        table = packaged(name)
        prompts = tuple(TEMPLATES[name].replace("[X]", subject) for subject in table.keys)
        return WordQuestions(prompts=prompts, answers=table.attributes, name=table.name)
    path = Path(source)
    if not path.exists():
        raise SimonidesError(f"questions {name!r} are no file and no table; {suggest(name, PACKAGED)}")
    if path.suffix == ".jsonl":
        return _from_lines(path)
    if templates is None:
        return _from_columns(path)
    return _from_relations(path, _patterns(templates))


def _from_columns(path: Path) -> WordQuestions:
    """Prompts as they are written, line breaks and all; a first row of names is a header."""
    rows = _rows(path)
    if rows and {cell.strip().casefold() for cell in rows[0]} in _HEADERS:
        rows = rows[1:]
    if not rows:
        raise SimonidesError(f"{path} holds no questions; give at least one row.")
    for number, cells in enumerate(rows, start=1):
        if len(cells) == 3:
            raise SimonidesError(
                f"{path} has subjects and relations: give --templates FILE with a pattern for each relation, or a "
                "table of two columns, prompt and answer."
            )
        if len(cells) != 2 or not all(cell.strip() for cell in cells):
            raise SimonidesError(f"{path}, row {number} of questions: expected a prompt and an answer.")
    prompts, answers = zip(*((prompt.strip(), answer.strip()) for prompt, answer in rows), strict=True)
    return WordQuestions(prompts=prompts, answers=answers, name=path.name)


def _from_lines(path: Path) -> WordQuestions:
    prompts, answers = [], []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            prompt, answer = entry["prompt"].strip(), entry["answer"].strip()
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SimonidesError(
                f'{path}, line {number}: expected an object such as {{"prompt": "Lima is in", "answer": "Peru"}}.'
            ) from None
        if not prompt or not answer:
            raise SimonidesError(f"{path}, line {number}: an empty prompt or answer; fill it in.")
        prompts.append(prompt)
        answers.append(answer)
    if not prompts:
        raise SimonidesError(f"{path} holds no questions; give at least one line.")
    return WordQuestions(prompts=tuple(prompts), answers=tuple(answers), name=path.name)


def _rows(path: Path) -> list[list[str]]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    rows = csv.reader(io.StringIO(read_text(path)), delimiter=delimiter)
    try:
        return [row for row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise SimonidesError(f"{path} is no well-formed table: {error}; check its quotes.") from None


def _patterns(path: Path) -> dict[str, str]:
    """Of each relation the first pattern whose [Y] comes last, up to it."""
    patterns: dict[str, str] = {}
    for number, cells in enumerate(_rows(path), start=1):
        if len(cells) < 2:
            raise SimonidesError(f"{path}, row {number}: one cell where relation and pattern were expected.")
        relation, pattern = cells[0].strip(), ",".join(cells[1:]).strip()
        before, mark, after = pattern.partition("[Y]")
        if mark and "[X]" in before and not after.strip(" ."):
            patterns.setdefault(relation, before.strip())
    if not patterns:
        raise SimonidesError(f"{path} has no pattern such as '[X] is the capital of [Y] .', with [Y] last.")
    return patterns


def _from_relations(path: Path, patterns: Mapping[str, str]) -> WordQuestions:
    rows = _rows(path)
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    names = ("subject", "relation", "attribute")
    order = [header.index(name) for name in names] if set(names) <= set(header) else [0, 1, 2]
    prompts, answers = [], []
    for number, cells in enumerate(rows, start=1):
        if number == 1 and set(names) <= set(header):
            continue
        if len(cells) < 3:
            raise SimonidesError(f"{path}, row {number}: {len(cells)} cells; expected {', '.join(names)}.")
        subject, relation, attribute = (cells[place].strip() for place in order)
        if relation in patterns and subject and attribute:
            prompts.append(patterns[relation].replace("[X]", subject))
            answers.append(attribute)
    if not prompts:
        raise SimonidesError(f"{path}: none of its relations has a pattern; known are {', '.join(patterns)}.")
    return WordQuestions(prompts=tuple(prompts), answers=tuple(answers), name=path.name)
