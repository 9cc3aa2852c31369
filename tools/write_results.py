"""Writes the tables of recorded results into README.md and docs/results.md; --check only looks whether they agree."""

import math
import sys
from collections import Counter
from pathlib import Path

from simonides.base import SimonidesError
from simonides.lab import band_text, interval_text, number, paper_title, recorded_entry, scan

ROOT = Path(__file__).parent.parent
START, END = "<!-- recorded results -->", "<!-- end of recorded results -->"


def main() -> int:
    """Write, or check."""
    entries, absent = {}, []
    for file in scan():
        try:
            entries[file] = recorded_entry(file, "desk")
        except SimonidesError:
            absent.append(file.id)
    texts = {ROOT / "README.md": summary(entries, absent), ROOT / "docs" / "results.md": every_rule(entries)}
    wrong = 0
    for path, text in texts.items():
        whole = path.read_text(encoding="utf-8")
        before, rest = whole.split(START)
        wanted = f"{before}{START}\n\n{text}\n\n{END}{rest.split(END)[1]}"
        if wanted != whole and "--check" in sys.argv:
            print(f"{path} does not show what is recorded; run: python tools/write_results.py")
            wrong = 1
        elif wanted != whole:
            path.write_text(wanted, encoding="utf-8")
    return wrong


def summary(entries, absent):
    """A line for each claim."""
    counts = Counter(entry["verdict"] for entry in entries.values())
    words = ", ".join(
        f"{counts[name]} {name}" for name in ("holds", "partly", "fails", "undecided") if counts[name]
    )
    lines = [
        f"Of {len(entries)} claims at desk scale: {words}. All rules: [docs/results.md](docs/results.md).",
        "",
    ]
    lines += [
        "| claim | verdict | what | measured, 95 % interval | the paper |",
        "| --- | --- | --- | --- | --- |",
    ]
    for file, entry in entries.items():
        paper = entry["checks"][0]["paper"]
        row = (
            f"`{file.id}`",
            entry["verdict"],
            entry["quantity"],
            measured(entry),
            paper and number(paper["value"]),
        )
        lines.append(table_row(row))
    if absent:
        lines += ["", f"Not recorded yet: {', '.join(absent)}."]
    return "\n".join(lines)


def every_rule(entries):
    """All rules of all claims, by paper."""
    lines, paper = [], ""
    for file, entry in entries.items():
        if file.paper != paper:
            paper = file.paper
            lines += [f"## {paper_title(paper)}", ""]
        setting = "; ".join(f"{name} {values(value)}" for name, value in entry["setting"].items())
        days = " to ".join(sorted(set(entry["measured"])))
        lines += [f"### {file.id}: {entry['verdict']}", "", file.summary, ""]
        lines += [f"Setting: {setting}. {entry['cost in seconds']:.0f} s of one core, {days}.", ""]
        if entry["reason"]:
            lines += [f"*{entry['verdict']}*: {entry['reason']}.", ""]
        if entry["differs"]:
            lines += [f"Otherwise than in the paper: {entry['differs']}", ""]
        lines += [
            "| what | measured, 95 % interval | asked | the paper | verdict |",
            "| --- | --- | --- | --- | --- |",
        ]
        for check in entry["checks"]:
            low, high = check["band"]
            band = band_text(-math.inf if low is None else low, math.inf if high is None else high)
            paper_says = check["paper"] and f"{number(check['paper']['value'])} ({check['paper']['where']})"
            place = f", at {check['place']}" if check["place"] and check["cells"] > 1 else ""
            lines.append(
                table_row((check["quantity"] + place, measured(check), band, paper_says, check["verdict"]))
            )
        lines.append("")
        for change in entry["changes"]:
            told = f"Rules changed {change['date']}: {change['reason']}. Under those before: {change['before']}."
            lines += [told, ""]
    return "\n".join(lines).rstrip()


def measured(entry):
    """A number with its interval; what is not finite is null where it is recorded."""
    if entry["effect"] is None:
        return "no value"
    ends = entry["interval"] and tuple(math.nan if end is None else end for end in entry["interval"])
    return f"{number(entry['effect'])} {interval_text(ends)}"


def table_row(cells):
    """A row of a table in Markdown."""
    return "| " + " | ".join(str(cell or "").replace("|", "\\|") for cell in cells) + " |"


def values(value):
    """A few values, or their ends."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(map(str, value)) if len(value) < 7 else f"{value[0]} .. {value[-1]}"


if __name__ == "__main__":
    sys.exit(main())
