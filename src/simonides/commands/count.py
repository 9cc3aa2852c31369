"""`count`: a transformer that counts in brackets, what it compares with, and what breaks elsewhere."""

import hashlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from simonides.base import SimonidesError, check_output_folder, say, say_json, tell
from simonides.commands.shared import Json, Quiet

if TYPE_CHECKING:
    from simonides.nn import EncoderDecoder
    from simonides.papers.counting.bias_report import BiasReport
    from simonides.papers.counting.strings import ContextualCounting
    from simonides.training import History


@dataclass(frozen=True, kw_only=True)
class Count:
    """Count the 1s in each bracketed region of a string with a transformer, and see what it compares them with.

    Without --train its weights are written down, not learned, and at once there. With it several counters are
    trained as one stack, and the one whose worst region is best is reported. The report names the tokens that each
    region's count is compared with, predicts how answers scale when their number changes, and measures it.

    Example: simonides count "[0][101]0[1]1[]0"

    Example: simonides count --bias "]" --out page

    Example: simonides count --train 6000 --length 64 --regions 4 --out trained
    """

    strings: Annotated[
        Positional[tuple[str, ...]], arg(metavar="STRING ...", help="What to count in, such as '[01]0[1]'.")
    ] = ()
    length: Annotated[int, arg(help="Characters of the strings it is made for, brackets included.")] = 64
    regions: Annotated[int, arg(help="Bracketed regions of each.")] = 4
    beginning: Annotated[bool, arg(help="Whether a token stands before the string.")] = True
    nested: Annotated[bool, arg(help="train: whether regions may lie in one another.")] = False
    bias: Annotated[
        Literal["beginning", "[", "]", "0"], arg(help="What the written-down counter compares with.")
    ] = "beginning"
    train: Annotated[int, arg(metavar="STEPS", help="Train so many steps instead.")] = 0
    runs: Annotated[int, arg(help="train: counters that are trained together.")] = 3
    positions: Annotated[Literal["none", "learned", "rotary", "alibi"], arg(help="train: how it knows order.")] = (
        "none"
    )
    alibi_slope: Annotated[float | None, arg(help="train: of ALiBi.")] = None
    causal: Annotated[bool, arg(help="train: whether tokens see only what came before.")] = True
    d: Annotated[int, arg(help="train: width.")] = 64
    batch: Annotated[int, arg(help="train: strings a step.")] = 32
    rate: Annotated[float, arg(help="train: highest learning rate of AdamW.")] = 2e-3
    enough: Annotated[float, arg(help="train: a run ends where every region is answered right this often.")] = 0.97
    report: Annotated[int, arg(metavar="N", help="Strings behind each number of the report.")] = 200
    out: Annotated[
        Path | None,
        arg(
            metavar="DIR", help="Folder of page, tables and weights; by default none, of a training counting-T-R."
        ),
    ] = None
    seed: Annotated[int, arg(help="Draws weights and strings.")] = 0
    quiet: Quiet = False
    json: Json = False


def execute(options: Count) -> int:
    """Make the counter, answer, report."""
    from simonides.base import check_at_least, check_seed
    from simonides.papers.counting.bias_report import bias_report
    from simonides.papers.counting.constructed import constructed_counter
    from simonides.papers.counting.strings import ContextualCounting, read_strings
    from simonides.papers.counting.training import answers_of

    check_seed(options.seed)
    check_at_least("report", options.report, 10)
    task = ContextualCounting(
        regions=options.regions,
        length=options.length,
        beginning=options.beginning,
        nested=options.nested,
        # what is written down can answer all counts that there are
        classes=None if options.train else max(2, options.length - 1),
    )
    asked = [read_strings([text], task) for text in options.strings]
    out = options.out or (Path(f"counting-{options.length}-{options.regions}") if options.train else None)
    if out is not None:
        check_output_folder(out)
        _check_same(options, out)
    history = None
    if options.train:
        model, history = _trained(options, task, out or Path())
        name = f"A counter after {history.steps[-1]} steps"
    else:
        _check_untrained(options)
        model, name = constructed_counter(task, options.bias), f"A counter that compares with {options.bias}"
    if out is not None:
        _keep(options, out, model, task)
    device = model.prompts.device
    answers = [answers_of(model, strings.on(device))[0].tolist() for strings in asked]
    counts = [strings.counts[0].tolist() for strings in asked]
    if not options.json:
        for text, said, right in zip(options.strings, answers, counts, strict=True):
            there = [n for n in right if n >= 0]
            shown = ", ".join(map(str, said[: len(there)]))
            say(f"{text}: {shown}  ({'right' if said[: len(there)] == there else f'wrong: {there}'})")
    found = bias_report(model, task, strings=options.report, seed=options.seed)
    if options.json:
        asked_for = [
            {"string": text, "answers": said, "counts": right}
            for text, said, right in zip(options.strings, answers, counts, strict=True)
        ]
        say_json({"counter": name, "asked": asked_for, "report": asdict(found)})
    else:
        _say_report(name, found)
    if out is not None:
        _write(options, out, name, model, task, found, history)
    if found.beyond:
        tell(f"{found.beyond} counts were beyond the last answer, {task.answers - 1}, and count as wrong")
    return 0


def _check_untrained(options: Count) -> None:
    """Refuse options of a training where there is none."""
    usual = Count()
    for field in ("nested", "runs", "positions", "alibi_slope", "causal", "d", "batch", "rate", "enough"):
        if getattr(options, field) != getattr(usual, field):
            name = field.replace("_", "-")
            raise SimonidesError(f"--{name} is of a training; add --train STEPS, or leave it out.")


def _trained(options: Count, task: "ContextualCounting", out: Path) -> "tuple[EncoderDecoder, History]":
    """The best of several counters, trained now, or further."""
    import torch

    from simonides.base import check_at_least, chosen_device, output_folder
    from simonides.papers.counting.model import counter_config
    from simonides.papers.counting.training import CounterTraining, train_counters

    if options.bias != "beginning":
        raise SimonidesError("--bias is of a counter that is written down; leave it out, or --train.")
    check_at_least("runs", options.runs, 1)
    training = CounterTraining(
        steps=options.train,
        batch=options.batch,
        rate=options.rate,
        enough=options.enough,
        every=max(1, min(250, options.train // 20)),
    )
    config = counter_config(task, options.positions, options.causal, options.d, alibi_slope=options.alibi_slope)
    generators = [
        torch.Generator().manual_seed((options.seed * options.runs + run) % 2**63) for run in range(options.runs)
    ]
    output_folder(out)
    told = repr((task, config, training, options.seed, options.runs))
    state = out / f"training-{hashlib.sha256(told.encode()).hexdigest()[:8]}.safetensors"
    show = sys.stderr.isatty() and not (options.quiet or options.json)
    trained = train_counters(task, config, generators, training, chosen_device("auto"), state, show)
    best = int(trained.worst.argmax())
    if not options.json:
        texts = ", ".join(f"{value:.1%}" for value in trained.worst.tolist())
        say(f"worst region of each run answered right: {texts}; run {best + 1} is reported")
    return trained.models[best], _until_it_left(trained.of_run(best))


def _until_it_left(history: "History") -> "History":
    """Records of a run up to the one with which it left the stack: what follows says that one again."""
    import torch

    from simonides.training import History

    moving = torch.stack([values != values[-1] for values in history.columns.values()]).any(0)
    kept = min(int(moving.nonzero().max()) + 2, len(moving)) if bool(moving.any()) else 1
    cut = History()
    cut.restore(history.steps[:kept], {name: values[:kept] for name, values in history.columns.items()})
    return cut


def _say_report(name: str, found: "BiasReport") -> None:
    say(f"{name}. The best constant answer is right in {found.constant:.1%}.")
    for reader in found.readers:
        say(
            f"region {reader.region}: right in {reader.accuracy:.1%}, compares with {reader.bias} "
            f"({reader.bias_share:.0%} of its attention, B = {reader.bias_attention:.3g}), leans on "
            f"{reader.leans_on or 'what no shift tells'}"
        )
        for name_of_shift, shift in reader.shifts.items():
            say(
                f"  {name_of_shift}: B changes by {shift.bias_attention:.2f}, so answers should by "
                f"{shift.slope_by_attention:.2f}; measured {shift.slope:.2f}, right in {shift.accuracy:.1%} "
                f"(constant {shift.constant:.1%})"
                + (f"; {shift.beyond} counts beyond the last answer" if shift.beyond else "")
            )


# options that decide what a counter is
_IDENTITY = (
    *("length", "regions", "beginning", "nested", "bias", "train", "runs", "positions", "alibi_slope", "causal"),
    *("d", "batch", "rate", "enough", "seed"),
)


def _check_same(options: Count, out: Path) -> None:
    """Refuse a folder that holds another counter."""
    from simonides.base import read_json_object

    place = out / "counter.json"
    if not place.exists():
        return
    there = read_json_object(place).get("options")
    for field in _IDENTITY:
        asked = getattr(options, field)
        if not isinstance(there, dict) or there.get(field) != asked:
            held = there.get(field) if isinstance(there, dict) else "something else"
            raise SimonidesError(
                f"{out} holds another counter, made with {field} = {held} and not {asked}; give a new folder."
            )


def _keep(options: Count, out: Path, model: "EncoderDecoder", task: "ContextualCounting") -> None:
    """Weights and what they are of, before anything is made of them."""
    from simonides.base import json_text, output_folder, write_tensors, write_text

    output_folder(out)
    write_tensors(out / "counter.safetensors", {k: v.detach().cpu() for k, v in model.state_dict().items()})
    made = {name: getattr(options, name) for name in _IDENTITY}
    told: dict[str, Any] = {"options": made, "task": asdict(task), "model": asdict(model.config)}
    write_text(out / "counter.json", json_text(told) + "\n")


def _write(
    options: Count,
    out: Path,
    name: str,
    model: "EncoderDecoder",
    task: "ContextualCounting",
    found: "BiasReport",
    history: "History | None",
) -> None:
    from simonides.base import json_text, write_text
    from simonides.papers.counting.bias_report import usual_shifts
    from simonides.papers.counting.counting_page import write_counter

    index = write_counter(model, task, found, usual_shifts(task), out, name, history)
    write_text(out / "report.json", json_text(asdict(found)) + "\n")
    if not options.json:
        say(f"page: {index.resolve()}")
