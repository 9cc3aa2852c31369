"""Recall: which answer's embedding has the largest inner product with what the memory returned.

Letters: `Q` queries (vectors F(e) that a memory returned), `M` candidate answers, `d` width, `R` stacked runs.
Nothing here holds a Q x M table unless it is small.

`recall` is exact: it returns the argmax of the inner products as float64 would have them, whatever precision
screens the candidates. A screening product in a short format bounds every group of candidates from above with
a rigorous error bound; only groups that may hold the maximum are looked at again, in float64. So the answer
depends neither on the block sizes nor on the kernel that a library picks, and the short format's speed is free.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_indices, check_vectors
from simonides.memories.writing import select

# entries of one block of the score table: 8 MB in float32; larger ones are returned to the system after each
# use, and faulting them in again cost a third of the time
_BLOCK = 2**21
# candidates that are bounded, and looked at again, together
_GROUP = 16
# below this many candidates one float64 product is faster than screening and settling
_FEW = 512


def recall(
    queries: Float[Tensor, "*runs Q d"],
    candidates: Float[Tensor, "*runs M d"],
    screen: torch.dtype | None = None,
) -> Int[Tensor, "*runs Q"]:
    """argmax_y <u_y, v> for every query v; the lowest index where float64 cannot tell two apart.

    Arguments:
        queries: the vectors a memory returned.
        candidates: the embeddings u_y of the answers.
        screen: format of the screening product, bfloat16, float32 or float64; by default bfloat16 where the
            processor multiplies it fast and the table is large, the candidates' own elsewhere, and float64
            among few candidates. It changes the time taken, never the answer.

    Raises:
        SimonidesError: on a NaN or an infinity, since no argmax exists then, and where the widths disagree.

    Memory: besides its inputs, Q M / 16 numbers in the screening format, a block's short copy and a table of 2^21.

    >>> recall(torch.tensor([[0.0, 2.0]]), torch.eye(2))
    tensor([1])
    """
    _check(queries, candidates)
    if queries.shape[:-1].numel() == 0:
        return torch.empty(queries.shape[:-1], dtype=torch.int64, device=queries.device)
    if queries.dim() == 2:
        return recall(queries[None], candidates[None], screen)[0]
    if queries.dim() > 3:
        runs = queries.shape[:-2]
        flat = recall(queries.flatten(0, -3), candidates.flatten(0, -3), screen)
        return flat.unflatten(0, runs)
    wider = torch.promote_types(queries.dtype, candidates.dtype)
    queries, candidates = queries.detach().to(wider), candidates.detach().to(wider)
    queries, candidates = _near_one(queries, (-1,)), _near_one(candidates, (-2, -1))
    if screen is None and candidates.shape[-2] <= _FEW:
        return _few(queries, candidates)
    screen = _fast_format(queries, candidates) if screen is None else screen
    return _settle(queries, candidates, _possible_groups(queries, candidates, screen))


def top_answers(
    queries: Float[Tensor, "Q d"], candidates: Float[Tensor, "M d"], k: int
) -> tuple[Float[Tensor, "Q k"], Int[Tensor, "Q k"]]:
    """The k largest scores <u_y, v> of every query, in falling order, and the answers they belong to; in float64.

    Raises:
        SimonidesError: when there are fewer than k candidates, or on a NaN or an infinity.
    """
    _check(queries, candidates)
    if not 1 <= k <= candidates.shape[0]:
        raise SimonidesError(f"top {k} of {candidates.shape[0]} candidates; give 1 <= k <= {len(candidates)}.")
    queries = queries.double()
    best = queries.new_empty(queries.shape[0], 0)
    index = torch.empty(queries.shape[0], 0, dtype=torch.int64, device=queries.device)
    rows = max(k, _BLOCK // max(queries.shape[0], 1))
    for start in range(0, candidates.shape[0], rows):
        scores = queries @ candidates[start : start + rows].double().T
        here = torch.arange(start, start + scores.shape[1], device=queries.device).expand_as(scores)
        merged, merged_index = torch.cat([best, scores], 1), torch.cat([index, here], 1)
        best, order = merged.topk(min(k, merged.shape[1]), dim=1)
        index = merged_index.gather(1, order)
    return best, index


def margins(
    queries: Float[Tensor, "*runs Q d"],
    candidates: Float[Tensor, "*runs M d"],
    targets: Int[Tensor, "*runs Q"],
) -> Float[Tensor, "*runs Q"]:
    """<u_target, v> - max_{y != target} <u_y, v>, in float64.

    Above zero where the query is recalled and below where it is not, up to float64's rounding: a rival that
    ties with the target has margin zero and the lower index is recalled. With a single candidate there is no
    rival and the margin is infinite.
    """
    _check(queries, candidates)
    check_indices("targets", targets)
    if targets.shape != queries.shape[:-1]:
        raise SimonidesError(
            f"targets have shape {list(targets.shape)} for queries of {list(queries.shape)}; give one a query."
        )
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < candidates.shape[-2]:
        raise SimonidesError(
            f"targets reach from {int(targets.min())} to {int(targets.max())} among {candidates.shape[-2]} candidates."
        )
    queries = queries.double()
    correct = (queries * select(candidates, targets).double()).sum(-1)
    rival = torch.full_like(correct, -torch.inf)
    runs = queries.shape[:-2].numel()
    rows = max(1, _BLOCK // max(runs * queries.shape[-2], 1))
    for start in range(0, candidates.shape[-2], rows):
        scores = queries @ candidates[..., start : start + rows, :].double().mT
        place = (targets - start).unsqueeze(-1)
        inside = (place >= 0) & (place < scores.shape[-1])
        place = place.clamp(0, scores.shape[-1] - 1)
        scores.scatter_(-1, place, torch.where(inside, -torch.inf, scores.gather(-1, place)))
        rival = torch.maximum(rival, scores.amax(-1))
    return correct - rival


def _near_one(vectors: Tensor, over: tuple[int, ...]) -> Tensor:
    """`vectors` times powers of two that bring their largest entries near one; short formats as float32.

    The argmax does not change when a query, or all candidates together, are multiplied by a positive number,
    and powers of two multiply without rounding. Norms and products then neither overflow nor vanish.
    """
    if vectors.dtype not in (torch.float32, torch.float64):
        vectors = vectors.float()
    exponent = torch.frexp(torch.maximum(vectors.amax(over, True), -vectors.amin(over, True))).exponent
    if exponent.abs().max() <= 20:
        return vectors
    half = exponent // 2  # in two steps: one power of two alone might overflow
    return torch.ldexp(torch.ldexp(vectors, -half), half - exponent)


def _few(queries: Tensor, candidates: Tensor) -> Int[Tensor, "runs Q"]:
    """The argmax from one float64 product; where it cannot tell the best two apart, from sums in a fixed order."""
    candidates = candidates.double()
    runs, count, d = candidates.shape
    if count == 1:
        return torch.zeros(queries.shape[:2], dtype=torch.int64, device=queries.device)
    # twice the rounding error of a sum of d products, for both of the two
    slack = 4 * d * 2.0**-53 * candidates.norm(dim=-1).amax(1)[:, None]
    answers = []
    for part in queries.double().split(max(1, _BLOCK // (runs * count)), 1):
        best, index = (part @ candidates.mT).topk(2, dim=-1)
        answer = index[..., 0].clone()
        unclear = best[..., 0] - best[..., 1] <= slack * part.norm(dim=-1) + d * 2.0**-1000
        for run, query in unclear.nonzero().tolist():
            answer[run, query] = _scores(candidates[run], part[run, query]).argmax()
        answers.append(answer)
    return torch.cat(answers, 1)


def _scores(candidates: Float[Tensor, "... d"], query: Float[Tensor, "... d"]) -> Float[Tensor, "..."]:
    """Inner products in float64, each summed in the same order: equal candidates get equal scores."""
    return (candidates.double() * query.double()).sum(-1)


def _fast_format(queries: Tensor, candidates: Tensor) -> torch.dtype:
    large = queries.shape[-2] * candidates.shape[-2] >= 2**20 and queries.shape[-1] >= 128
    # elsewhere than on a CPU bfloat16 sums may be rounded on the way, which the bound does not cover
    if queries.dtype == torch.float32 and queries.device.type == "cpu" and large:
        fast = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # no public name tells
        return torch.bfloat16 if fast() else torch.float32
    return queries.dtype


def _possible_groups(queries: Tensor, candidates: Tensor, screen: torch.dtype) -> Int[Tensor, "groups 3"]:
    """(run, group, query) for every group of `_GROUP` consecutive candidates that may hold a query's argmax.

    With a = a' + da and b = b' + db, a' and b' in the screening format (Cauchy & Schwarz):
    |<a, b> - <a', b'>| <= |da| |b| + |a'| |db|. To this come the roundings of a sum of d products, at most
    d u |a'| |b'| with u the unit roundoff of the sum, taken twice, and the rounding of the result. A group
    is possible where its largest score plus this slack reaches the best lower bound of all groups.
    """
    runs, count, d = candidates.shape
    # d + 4: with room for the roundings of the few sums below
    addition = 2 * (d + 4) * (2.0**-53 if screen == torch.float64 else 2.0**-24)
    rounding = 2.0**-7 if screen == torch.bfloat16 else 0.0
    short_queries = queries.to(screen)
    norm, error = (x[:, None] for x in _norm_and_error(queries, short_queries, None))
    # slack = |b| (|da| + additions) + |db| (|a'| + additions), with |a'| <= |a| + |da|
    by_norm = 1.001 * (error + addition * (norm + error))
    by_error = 1.001 * (1 + addition) * (norm + error)
    underflow = d * 2.0**-125  # of products
    rows = max(1, _BLOCK // (runs * queries.shape[1] * _GROUP)) * _GROUP
    # written over in every round: blocks this large, allocated anew, would each be a new stretch of memory
    most = runs * min(rows, count + _GROUP)
    shorts = queries.new_empty(most * d if screen != queries.dtype else 0, dtype=screen)
    scratch = queries.new_empty(shorts.numel())
    scores = queries.new_empty(most * queries.shape[1], dtype=screen)
    blocks = []
    floor = queries.new_full((runs, 1, queries.shape[1]), -torch.inf)
    for start in range(0, count, rows):
        block = candidates[:, start : start + rows]
        missing = -block.shape[1] % _GROUP
        if missing:  # repeating the last candidate changes no maximum
            block = torch.cat([block, block[:, -1:].expand(-1, missing, -1)], 1)
        short = shorts[: block.numel()].view(block.shape).copy_(block) if shorts.numel() else block
        table = scores[: runs * block.shape[1] * queries.shape[1]].view(runs, block.shape[1], -1)
        best = torch.bmm(short, short_queries.mT, out=table).unflatten(1, (-1, _GROUP)).amax(2)
        longest, worst = (x.unflatten(1, (-1, _GROUP)).amax(2) for x in _norm_and_error(block, short, scratch))
        # one slack for the whole block: passes over all its groups would cost as much as the screen saves
        widest = by_norm * longest.amax(1)[:, None, None] + by_error * worst.amax(1)[:, None, None] + underflow
        top = best.amax(1, keepdim=True).to(queries.dtype)
        floor = torch.maximum(floor, top - widest - rounding * top.abs())
        blocks.append((best, longest, worst, widest))
    groups, first = [], 0
    for best, longest, worst, widest in blocks:
        # best + rounding |best| + widest >= floor, solved for best
        least = floor - widest
        least = torch.where(least >= 0, least / (1 + rounding), least / (1 - rounding))
        places = (best >= least).nonzero()
        run, group, query = places.unbind(1)
        score = best[run, group, query].to(queries.dtype)
        slack = by_norm[run, 0, query] * longest[run, group] + by_error[run, 0, query] * worst[run, group]
        possible = score + rounding * score.abs() + slack + underflow >= floor[run, 0, query]
        places[:, 1] += first
        groups.append(places[possible])
        first += best.shape[1]
    return torch.cat(groups)


def _norm_and_error(exact: Tensor, short: Tensor, scratch: Tensor | None) -> tuple[Tensor, Tensor]:
    """Norms of the rows, and of what a matrix product may lose of them before it multiplies; both from above.

    The difference of the two is written into `scratch`, when given.
    """
    # squares below the smallest normal number vanish from a norm
    vanished = exact.shape[-1] ** 0.5 * 2.0**-60
    norm = exact.norm(dim=-1) * 1.0001 + vanished
    if short.dtype != exact.dtype:
        place = torch.empty_like(exact) if scratch is None else scratch[: exact.numel()].view(exact.shape)
        return norm, torch.sub(exact, short, out=place).norm(dim=-1) * 1.0001 + vanished
    if exact.dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest":
        return norm, norm * 2.0**-8  # torch may then shorten float32 factors to bfloat16 by itself
    return norm, torch.zeros_like(norm)


def _settle(queries: Tensor, candidates: Tensor, groups: Int[Tensor, "groups 3"]) -> Int[Tensor, "runs Q"]:
    """The exact argmax among the candidates of the possible groups, in float64."""
    count, d = candidates.shape[-2:]
    highest = torch.full(queries.shape[:2], -torch.inf, dtype=torch.float64, device=queries.device)
    answer = torch.zeros(queries.shape[:2], dtype=torch.int64, device=queries.device)
    pairs = max(1, _BLOCK // (_GROUP * d))
    offsets = torch.arange(_GROUP, device=queries.device)
    for start in range(0, len(groups), pairs):
        run, which, query = groups[start : start + pairs].unbind(1)
        places = (which[:, None] * _GROUP + offsets).clamp(max=count - 1)
        scores = _scores(candidates[run[:, None], places], queries[run, query][:, None])
        first = scores.argmax(1, keepdim=True)
        best, place = scores.gather(1, first)[:, 0], places.gather(1, first)[:, 0]
        _merge(highest, answer, run, query, best, place)
    return answer


def _merge(highest: Tensor, answer: Tensor, run: Tensor, query: Tensor, best: Tensor, place: Tensor) -> None:
    """Keep, for every (run, query), the larger score and, between equal ones, the lower place."""
    flat = run * highest.shape[1] + query
    table, places = highest.view(-1), answer.view(-1)
    top = table.clone().scatter_reduce_(0, flat, best, "amax")
    won = best == top[flat]
    kept = torch.where(top == table, places, torch.iinfo(torch.int64).max)
    kept.scatter_reduce_(0, flat[won], place[won], "amin")
    touched = top > -torch.inf
    table.copy_(top)
    places.copy_(torch.where(touched, kept, places))


def _check(queries: Tensor, candidates: Tensor) -> None:
    check_vectors(queries=queries, candidates=candidates)
    if queries.shape[-1] != candidates.shape[-1]:
        raise SimonidesError(
            f"queries have width {queries.shape[-1]} and candidates {candidates.shape[-1]}; they must agree."
        )
    if candidates.shape[-2] == 0:
        raise SimonidesError("there are no candidates to recall among; give at least one.")
    for vectors in (queries, candidates):
        # the extremes of numbers among which is a NaN are NaN
        if vectors.numel() and not all(end.isfinite() for end in torch.aminmax(vectors)):
            raise SimonidesError(
                "queries or candidates hold a NaN or an infinity, so no best answer exists; look at the memory."
            )
