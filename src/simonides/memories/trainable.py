"""What trains a memory: the cross-entropy of all its associations, with the gradient written out.

Loss of a run: the mean over its N facts x of -log softmax_y(<u_y, F(e_x)>) at y = f(x). Runs of different N
share a stack: each says how many of the facts, and of the answers, are its own. The N x M table is formed in
blocks of rows that stay in cache, and each block's gradient with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import Generators, drawn
from simonides.memories.linear import LinearMemory
from simonides.memories.mlp import MLPMemory
from simonides.memories.writing import select
from simonides.training import Stack

# entries of a block of the table of all runs
_BLOCK = 2**19


@dataclass(frozen=True, kw_only=True)
class StackedFacts:
    """The associations of R stacked runs, padded to the largest N and M.

    Arguments:
        inputs: e_x; rows beyond a run's own N are zero.
        outputs: u_y.
        targets: f(x).
        answers: 0 for a run's own answers, minus infinity beyond.
        counts: N of each run.
    """

    inputs: Float[Tensor, "runs N d_in"]
    outputs: Float[Tensor, "runs M d_out"]
    targets: Int[Tensor, "runs N"]
    answers: Float[Tensor, "runs 1 M"]
    counts: Int[Tensor, " runs"]

    @classmethod
    def stack(
        cls, facts: list[tuple[Float[Tensor, "_ d_in"], Float[Tensor, "_ d_out"], Int[Tensor, " _"]]]
    ) -> "StackedFacts":
        """StackedFacts of several runs, each (inputs, outputs, targets) of its own sizes."""
        most = max(len(inputs) for inputs, _, _ in facts)
        widest = max(len(outputs) for _, outputs, _ in facts)
        answers = facts[0][0].new_full((len(facts), 1, widest), -torch.inf)
        for run, (_, outputs, _) in enumerate(facts):
            answers[run, :, : len(outputs)] = 0
        return cls(
            inputs=torch.stack([_padded(inputs, most) for inputs, _, _ in facts]),
            outputs=torch.stack([_padded(outputs, widest) for _, outputs, _ in facts]),
            targets=torch.stack([_padded(targets, most) for _, _, targets in facts]),
            answers=answers,
            counts=torch.tensor([len(inputs) for inputs, _, _ in facts], device=answers.device),
        )

    def keep(self, runs: Int[Tensor, " kept"]) -> "StackedFacts":
        """Those of some runs, without padding that none of them needs."""
        most = int(self.counts[runs].max())
        widest = int((self.answers[runs, 0] == 0).sum(-1).max())
        return StackedFacts(
            inputs=self.inputs[runs, :most].contiguous(),
            outputs=self.outputs[runs, :widest].contiguous(),
            targets=self.targets[runs, :most].contiguous(),
            answers=self.answers[runs, :, :widest].contiguous(),
            counts=self.counts[runs],
        )

    def loss(self, returned: Float[Tensor, "runs N d_out"]) -> Float[Tensor, " runs"]:
        """The mean cross-entropy of each run, in nats; its gradient is formed with it, block by block."""
        loss: Tensor = _Recall.apply(returned, self)  # type: ignore[no-untyped-call]
        return loss

    def loss_and_pull(
        self, returned: Float[Tensor, "runs N d_out"], pulling: bool = True
    ) -> tuple[Float[Tensor, " runs"], Float[Tensor, "runs N d_out"] | None]:
        """The loss, and N times its gradient in what the memory returned: sum_y p_y u_y - u_{f(x)}."""
        blocks = self._blocks(returned)
        total = returned.new_zeros(len(returned))
        pull = torch.empty_like(returned) if pulling else None
        for rows in blocks:
            table = self._table(returned[:, rows])
            right = table.gather(-1, self.targets[:, rows, None])[..., 0]
            top = table.amax(-1, keepdim=True)
            exponentials = table.sub_(top).exp_()
            sums = exponentials.sum(-1, keepdim=True)
            total += ((sums.log() + top)[..., 0].sub_(right) * self._own(rows)).sum(-1)
            if pull is not None:
                # the softmax is divided by its sum after the product, which has fewer entries
                pull[:, rows] = torch.bmm(exponentials, self.outputs).div_(sums)
        return total / self.counts, None if pull is None else pull.sub_(self.wanted)

    @cached_property
    def wanted(self) -> Float[Tensor, "runs N d_out"]:
        """u_{f(x)}."""
        return select(self.outputs, self.targets)

    def accuracy(self, returned: Float[Tensor, "runs N d_out"]) -> Float[Tensor, " runs"]:
        """The share of each run's facts whose best answer is the right one."""
        right = returned.new_zeros(len(returned))
        for rows in self._blocks(returned):
            table = self._table(returned[:, rows])
            right += ((table.argmax(-1) == self.targets[:, rows]) & self._own(rows)).sum(-1)
        return right / self.counts

    def _table(self, returned: Tensor) -> Tensor:
        if self._has_padding:
            return torch.baddbmm(self.answers, returned, self.outputs.mT)
        return torch.bmm(returned, self.outputs.mT)

    @cached_property
    def _has_padding(self) -> bool:
        return bool((self.answers != 0).any())

    def _own(self, rows: slice) -> Tensor:
        place = torch.arange(self.inputs.shape[1], device=self.inputs.device)[rows]
        return place < self.counts[:, None]

    def _blocks(self, returned: Tensor) -> list[slice]:
        runs, facts = returned.shape[:2]
        size = max(1, _BLOCK // (runs * self.outputs.shape[1]))
        return [slice(start, start + size) for start in range(0, facts, size)]


class _Recall(torch.autograd.Function):
    """The loss of `StackedFacts`, with the gradient that was formed beside it."""

    @staticmethod
    def forward(ctx: Any, returned: Tensor, facts: StackedFacts) -> Tensor:
        loss, pull = facts.loss_and_pull(returned, ctx.needs_input_grad[0])
        ctx.pull, ctx.counts = pull, facts.counts
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return ctx.pull.mul_((upstream / ctx.counts)[:, None, None]), None


class TrainableMemories(Stack):
    """R memories of one kind, in training on facts of their own."""

    def __init__(self, facts: StackedFacts) -> None:
        super().__init__(len(facts.counts))
        self.facts = self._all_facts = facts

    def loss(self) -> Float[Tensor, " runs"]:
        """Mean cross-entropy of each run in nats."""
        return self.facts.loss(self())

    def accuracy(self) -> Float[Tensor, " runs"]:
        """Share of facts recalled by each run."""
        return self.facts.accuracy(self())

    def keep(self, runs: Int[Tensor, " kept"]) -> None:
        """Go on with some of the runs, without padding that none of them needs."""
        super().keep(runs)
        self.facts = self.facts.keep(runs)

    def put_back(self, runs: Sequence[int], left: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Hold all runs again, with the facts of all."""
        super().put_back(runs, left)
        self.facts = self._all_facts


class TrainableLinear(TrainableMemories):
    """F(e) = W e, from W = 0."""

    def __init__(self, facts: StackedFacts) -> None:
        super().__init__(facts)
        runs, _, d_in = facts.inputs.shape
        self.weight = nn.Parameter(facts.inputs.new_zeros(runs, facts.outputs.shape[-1], d_in))

    def forward(self) -> Float[Tensor, "runs N d_out"]:
        """What each run returns for its facts."""
        return torch.bmm(self.facts.inputs, self.weight.mT)

    def memory(self) -> LinearMemory:
        """The memory as it is now."""
        return LinearMemory(self.weight.detach())


class TrainableMLP(TrainableMemories):
    """F(e) = V relu(W e + b), from LeCun's normal initialisation, N(0, 1/fan-in), and b = 0.

    As Nichani, Lee & Bietti (2025, figure 1). `hidden` is W with b as its last column, (runs, m, d_in + 1), and
    `output` is V, (runs, d_out, m).

    Arguments:
        facts: what is to be stored.
        hidden_units: m.
        generators: one for each run.
    """

    def __init__(self, facts: StackedFacts, hidden_units: int, generators: Generators) -> None:
        super().__init__(facts)
        d_in, d_out = facts.inputs.shape[-1], facts.outputs.shape[-1]
        w = drawn(lambda g: torch.randn(hidden_units, d_in, generator=g) / d_in**0.5, generators)
        v = drawn(lambda g: torch.randn(d_out, hidden_units, generator=g) / hidden_units**0.5, generators)
        w, v = w.to(facts.inputs), v.to(facts.inputs)
        self.hidden = nn.Parameter(torch.cat([w, w.new_zeros(*w.shape[:-1], 1)], -1))
        self.output = nn.Parameter(v)
        self._extended = self._extend(facts)

    def forward(self) -> Float[Tensor, "runs N d_out"]:
        """What each run returns for its facts."""
        return torch.bmm(torch.relu_(torch.bmm(self._extended, self.hidden.mT)), self.output.mT)

    def keep(self, runs: Int[Tensor, " kept"]) -> None:
        """Go on with some of the runs."""
        super().keep(runs)
        self._extended = self._extend(self.facts)

    def put_back(self, runs: Sequence[int], left: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Hold all runs again."""
        super().put_back(runs, left)
        self._extended = self._extend(self.facts)

    def memory(self) -> MLPMemory:
        """The memory as it is now."""
        hidden = self.hidden.detach()
        return MLPMemory(hidden[..., :-1], self.output.detach(), "relu", hidden[..., -1])

    def _extend(self, facts: StackedFacts) -> Float[Tensor, "runs N d_in_and_1"]:
        """The inputs with a last entry one, which b multiplies; zero where there is no fact."""
        place = torch.arange(facts.inputs.shape[1], device=facts.inputs.device)
        one = (place < facts.counts[:, None]).to(facts.inputs)[..., None]
        return torch.cat([facts.inputs, one], -1)


def _padded(rows: Tensor, length: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(length - len(rows), *rows.shape[1:])])
