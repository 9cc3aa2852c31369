"""`truncate`: matrices of a checkpoint cut to low rank, judged on questions and on a control text."""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simonides import options as given
from simonides.base import (
    SimonidesError,
    check_at_least,
    check_free,
    check_memory,
    check_seed,
    check_share,
    read_text,
)
from simonides.checkpoints import (
    PretrainedModel,
    TextTokens,
    load_pretrained,
    reference_difference,
    rewrite_checkpoint,
    save_factors,
)
from simonides.commands.judging import Bench, Judged, Key, as_json, line
from simonides.commands.places import check_there, out_folder, step_folders
from simonides.commands.progress import Start, ticking
from simonides.commands.truncate_search import search_edits, shares_of
from simonides.data import WordQuestions, manual, read_questions
from simonides.probes import (
    Decomposition,
    Questions,
    decompose,
    decompose_leading,
    layers_named,
    matrices_named,
    matrix_of,
    replaced,
)

# sides from which the leading directions alone are followed, where few are kept
_LARGE = 4096


def truncate(options: given.Truncate) -> int:
    """Check the options, load, cut or search, print and write."""
    _check(options)
    check_there(options.checkpoint)
    out = out_folder(options.out, "truncation", options.checkpoint)
    if steps := step_folders(options.checkpoint):
        raise SimonidesError(
            f"{options.checkpoint} holds the steps of a training; give one, such as {steps[-1][1]}."
        )
    if options.save == "checkpoint":
        check_free(out / "checkpoint")
    asked = None if options.questions is None else read_questions(options.questions, options.templates)
    content = manual() if options.text is None else read_text(options.text)
    text = TextTokens(options.checkpoint)
    with torch.no_grad(), ticking(options.json) as show:
        tick = show("untouched", 2)
        model = load_pretrained(options.checkpoint)
        tick("opened")
        if model.architecture.encoder:
            raise SimonidesError("an encoder predicts no next token; `simonides inspect` reads it.")
        layers, matrices = layers_named(model, options.layers), matrices_named(model, options.matrix)
        bench = _bench(options, model, text, asked, content)
        before = bench.judge()
        tick(f"perplexity {before.perplexity:.1f}")
        if options.reference and not options.json:
            _compare(options.checkpoint, model, bench.text[:64])
        _say_untouched(before, model, options)
        if options.search:
            found = search_edits(options, bench, layers, matrices, before, out, show)
        else:
            found = _cut(options, bench, [(n, name) for n in layers for name in matrices], before, out, show)
    out.mkdir(parents=True, exist_ok=True)
    (out / "truncation.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        print(f"written: {(out / 'truncation.json').resolve()}")
    return 0


def _bench(
    options: given.Truncate, model: PretrainedModel, text: TextTokens, asked: WordQuestions | None, content: str
) -> Bench:
    generator = torch.Generator().manual_seed(options.seed)
    questions = None
    if asked is not None:
        rows = torch.randperm(len(asked), generator=generator)[: options.most].sort().values.tolist()
        pairs = _in_tokens(asked, rows, text, options.space)
        longest = max(len(prompt) for prompt, _ in pairs)
        a = model.architecture
        if a.longest and longest > a.longest:
            raise SimonidesError(f"a prompt has {longest} tokens, the model was made for {a.longest}; shorten it.")
        needed = 4.0 * len(pairs) * (longest * (6 * a.d + 3 * a.hidden) + 3 * a.vocabulary)
        check_memory(
            f"{len(pairs)} questions of up to {longest} tokens need", needed, "give --most or shorter ones"
        )
        _, generic = text.question(asked.prompts[rows[0]], options.generic, options.space)
        questions = Questions.of([prompt for prompt, _ in pairs], [answer for _, answer in pairs], [generic])
    return Bench(
        model=model, questions=questions, text=text.encode(content)[: options.text_tokens], generator=generator
    )


def _in_tokens(asked: WordQuestions, rows: list[int], text: TextTokens, space: bool) -> list[tuple[Tensor, int]]:
    """Prompts and the tokens of their answers; questions in characters that the tokenizer lacks are left out."""
    pairs, reason = [], ""
    for row in rows:
        try:
            pairs.append(text.question(asked.prompts[row], asked.answers[row], space))
        except SimonidesError as error:
            reason = f"{asked.prompts[row]!r}: {error}"
    if not pairs:
        raise SimonidesError(f"no question can be read; the last, {reason}")
    if left := len(rows) - len(pairs):
        print(f"{left} of {len(rows)} questions are left out; the last, {reason}", file=sys.stderr)
    return pairs


def _check(options: given.Truncate) -> None:
    ways = [name for name in ("rank", "share", "energy") if getattr(options, name) is not None]
    if options.search:
        if ways or options.save != "none":
            raise SimonidesError("--search tries --shares and saves nothing; leave the others out.")
        if options.questions is None:
            raise SimonidesError("--search needs --questions: a table such as country-capital, or a file.")
        shares_of(options.shares)
        if options.svd == "random":
            raise SimonidesError("--search decomposes exactly; leave --svd random out.")
    elif len(ways) != 1:
        raise SimonidesError(f"give one of --rank, --share and --energy, got {', '.join(ways) or 'none'}.")
    elif options.compose:
        raise SimonidesError("--compose belongs to --search; without it all matched matrices are cut together.")
    if options.share is not None and not 0 <= options.share <= 1:
        raise SimonidesError(f"share = {options.share} is no share of the rank; give a number in [0, 1].")
    if options.energy is not None:
        check_share("energy", options.energy)
    if options.rank is not None:
        check_at_least("rank", options.rank, 0)
    check_at_least("text-tokens", options.text_tokens, 2)
    check_at_least("most", options.most, 1)
    check_at_least("controls", options.controls, 0)
    check_seed(options.seed)


def _compare(checkpoint: Path, model: PretrainedModel, tokens: Tensor) -> None:
    try:
        difference = reference_difference(checkpoint, model, tokens[None])
    except SimonidesError as why:
        print(f"not compared with a reference: {why}", file=sys.stderr)
        return
    print(f"untouched, log probabilities are those of transformers to {difference:.1e}")
    if difference > 0.01:
        print("that is too much: the checkpoint may be of a kind that is read wrongly", file=sys.stderr)


def _say_untouched(before: Judged, model: PretrainedModel, options: given.Truncate) -> None:
    vocabulary = model.architecture.vocabulary
    if math.log(before.perplexity) > 0.8 * math.log(vocabulary):
        print(
            f"the untouched model's perplexity is {before.perplexity:.0f} of {vocabulary} tokens, near chance: do "
            "tokenizer and weights belong together, and is the text in its language?",
            file=sys.stderr,
        )
    if not options.json:
        print(line("untouched", before, None))


def _cut(
    options: given.Truncate, bench: Bench, keys: list[Key], before: Judged, out: Path, show: Start
) -> dict[str, Any]:
    """All matrices cut together, beside two controls."""
    tick = show("cutting", len(keys) + 2 + options.controls)
    parts: dict[Key, Decomposition] = {}
    ranks: dict[Key, int] = {}
    for key in keys:
        weight = matrix_of(bench.model, *key)
        parts[key], ranks[key] = _decomposed(weight, options, bench.generator)
        tick(f"layer {key[0]} {key[1]}: rank {ranks[key]}")
    cut = {key: parts[key].at_rank(ranks[key]) for key in keys}
    after = bench.judge(cut)
    tick(f"truncated: perplexity {after.perplexity:.1f}")
    norms = {key: float(cut[key].norm() / max(parts[key].total ** 0.5, 1e-30)) for key in keys}
    scaled = bench.judge({key: matrix_of(bench.model, *key) * norms[key] for key in keys})
    tick(f"same norm: perplexity {scaled.perplexity:.1f}")
    random = []
    for _ in range(options.controls):
        random.append(bench.judge(_at_random(bench.model, parts, ranks, bench.generator)))
        tick(f"random directions: perplexity {random[-1].perplexity:.1f}")
    if options.save == "factors":
        kept = save_factors({key: parts[key].factors(ranks[key]) for key in keys}, out / "factors.safetensors")
    elif options.save == "checkpoint":
        with replaced(bench.model, cut):
            rewrite_checkpoint(bench.model, options.checkpoint, out / "checkpoint")
    rows = [("truncated", after), ("same norm", scaled), *(("random directions", one) for one in random)]
    matrices = [
        {
            "layer": layer,
            "matrix": name,
            "rank": ranks[layer, name],
            "of": min(cut[layer, name].shape),
            "error": parts[layer, name].error(ranks[layer, name]),
        }
        for layer, name in keys
    ]
    if not options.json:
        for name, one in rows:
            print(line(name, one, before))
        for entry in matrices:
            print(
                f"  layer {entry['layer']} {entry['matrix']}: rank {entry['rank']} of {entry['of']}, "
                f"{entry['error']:.3f} of its norm left out"
            )
        if options.save == "factors":
            whole = sum(weight.numel() for weight in cut.values())
            print(f"  factors.safetensors: {kept:,} numbers in place of {whole:,}")
    return {
        "untouched": as_json(before, None),
        **{name.replace(" ", "_"): as_json(one, before) for name, one in rows[:2]},
        "random_directions": [as_json(one, before) for one in random],
        "matrices": matrices,
    }


def _decomposed(weight: Tensor, options: given.Truncate, generator: torch.Generator) -> tuple[Decomposition, int]:
    """A matrix's directions, and how many are kept."""
    least = min(weight.shape)
    rank = options.rank if options.share is None else int(options.share * least + 1e-9)
    few = rank is not None and 0 < 4 * rank <= least
    if options.svd == "random" and not few:
        raise SimonidesError("--svd random follows few directions: keep a quarter of the rank at most.")
    if few and rank is not None and (options.svd == "random" or (options.svd == "auto" and least > _LARGE)):
        return decompose_leading(weight, rank, generator), rank
    parts = decompose(weight)
    if options.energy is not None:
        return parts, parts.rank_of_energy(options.energy)
    assert rank is not None
    if rank > least:
        raise SimonidesError(f"rank = {rank}, but the matrix has {least} directions; give fewer.")
    return parts, rank


def _at_random(
    model: PretrainedModel,
    parts: Mapping[Key, Decomposition],
    ranks: Mapping[Key, int],
    generator: torch.Generator,
) -> dict[Key, Tensor]:
    """As many directions removed, drawn from all: those of a part that was not decomposed by random rotation."""
    found = {}
    for key, known in parts.items():
        weight = matrix_of(model, *key)
        least = min(weight.shape)
        if len(known.values) == least:
            found[key] = known.without_random(least - ranks[key], generator)
            continue
        kept = torch.linalg.qr(torch.randn(weight.shape[1], ranks[key], generator=generator)).Q
        found[key] = weight @ kept @ kept.mT
    return found
