"""What trains a memory: the cross-entropy of all its associations, with the gradient written out.

Loss of a run: the mean over its N facts x of -log softmax_y(<u_y, F(e_x)>) at y = f(x). Runs of different N
share a stack: each says how many of the facts, and of the answers, are its own. The N x M table is formed in
blocks of rows that stay in cache, and each block's gradient with it.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import Generators, drawn
from simonides.memories.linear import LinearMemory
from simonides.memories.mlp import MLPMemory
from simonides.memories.writing import select

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

    def pull(self, returned: Float[Tensor, "runs N d_out"]) -> Float[Tensor, "runs N d_out"]:
        """N times the gradient of the loss in what the memory returned: sum_y p_y u_y - u_{f(x)}."""
        blocks = self._blocks(returned)
        if len(blocks) == 1:
            return torch.bmm(torch.softmax(self._table(returned), -1), self.outputs).sub_(self.wanted)
        found = torch.empty_like(returned)
        for rows in blocks:
            found[:, rows] = torch.bmm(torch.softmax(self._table(returned[:, rows]), -1), self.outputs)
        return found.sub_(self.wanted)

    @cached_property
    def wanted(self) -> Float[Tensor, "runs N d_out"]:
        """u_{f(x)}."""
        return select(self.outputs, self.targets)

    def loss(self, returned: Float[Tensor, "runs N d_out"]) -> Float[Tensor, " runs"]:
        """The mean cross-entropy of each run, in nats."""
        total = returned.new_zeros(len(returned))
        for rows in self._blocks(returned):
            table = self._table(returned[:, rows])
            lost = torch.logsumexp(table, -1) - table.gather(-1, self.targets[:, rows, None])[..., 0]
            total += (lost * self._own(rows)).sum(-1)
        return total / self.counts

    def accuracy(self, returned: Float[Tensor, "runs N d_out"]) -> Float[Tensor, " runs"]:
        """The share of each run's facts whose best answer is the right one."""
        right = returned.new_zeros(len(returned))
        for rows in self._blocks(returned):
            table = self._table(returned[:, rows])
            right += ((table.argmax(-1) == self.targets[:, rows]) & self._own(rows)).sum(-1)
        return right / self.counts

    def _table(self, returned: Tensor) -> Tensor:
        if self._padded:
            return torch.baddbmm(self.answers, returned, self.outputs.mT)
        return torch.bmm(returned, self.outputs.mT)

    @cached_property
    def _padded(self) -> bool:
        return bool((self.answers != 0).any())

    def _own(self, rows: slice) -> Tensor:
        place = torch.arange(self.inputs.shape[1], device=self.inputs.device)[rows]
        return place < self.counts[:, None]

    def _blocks(self, returned: Tensor) -> list[slice]:
        runs, facts = returned.shape[:2]
        size = max(1, _BLOCK // (runs * self.outputs.shape[1]))
        return [slice(start, start + size) for start in range(0, facts, size)]


@dataclass(frozen=True, kw_only=True)
class LinearTraining:
    """Training of F(e) = W e from W = 0; a problem for `simonides.training.stacked.train`."""

    facts: StackedFacts

    def start(self) -> list[Tensor]:
        """[W], of shape (runs, d_out, d_in)."""
        runs, _, d_in = self.facts.inputs.shape
        return [self.facts.inputs.new_zeros(runs, self.facts.outputs.shape[-1], d_in)]

    def gradient(self, parameters: list[Tensor]) -> list[Tensor]:
        """Of the mean cross-entropy."""
        (weight,) = parameters
        pull = self.facts.pull(torch.bmm(self.facts.inputs, weight.mT))
        return [torch.bmm(pull.mT, self.facts.inputs) / self.facts.counts[:, None, None]]

    def accuracy(self, parameters: list[Tensor]) -> Float[Tensor, " runs"]:
        """Share of facts recalled."""
        return self.facts.accuracy(torch.bmm(self.facts.inputs, parameters[0].mT))

    def loss(self, parameters: list[Tensor]) -> Float[Tensor, " runs"]:
        """Mean cross-entropy in nats."""
        return self.facts.loss(torch.bmm(self.facts.inputs, parameters[0].mT))

    def keep(self, runs: Int[Tensor, " kept"]) -> "LinearTraining":
        """The training of some of the runs."""
        return replace(self, facts=self.facts.keep(runs))

    def memory(self, parameters: list[Tensor]) -> LinearMemory:
        """The memory with these parameters."""
        return LinearMemory(parameters[0])


@dataclass(frozen=True, kw_only=True)
class MLPTraining:
    """Training of F(e) = V relu(W e + b); a problem for `simonides.training.stacked.train`.

    Arguments:
        facts: what is to be stored.
        initial: W with b as its last column, and V: (runs, m, d_in + 1) and (runs, d_out, m).
        extended: the inputs with a last entry one, which b multiplies; zero where there is no fact.
    """

    facts: StackedFacts
    initial: tuple[Float[Tensor, "runs m d_in_and_1"], Float[Tensor, "runs d_out m"]]
    extended: Float[Tensor, "runs N d_in_and_1"]

    @classmethod
    def draw(cls, facts: StackedFacts, width: int, generators: Generators) -> "MLPTraining":
        """LeCun's normal initialisation, N(0, 1/fan-in), with b = 0, as Nichani, Lee & Bietti (2025, figure 1)."""
        d_in, d_out = facts.inputs.shape[-1], facts.outputs.shape[-1]
        w = drawn(lambda g: torch.randn(width, d_in, generator=g) / d_in**0.5, generators).to(facts.inputs)
        v = drawn(lambda g: torch.randn(d_out, width, generator=g) / width**0.5, generators).to(facts.inputs)
        place = torch.arange(facts.inputs.shape[1], device=w.device)
        one = (place < facts.counts[:, None]).to(w)[..., None]
        with_bias = torch.cat([w, w.new_zeros(*w.shape[:-1], 1)], -1)
        return cls(facts=facts, initial=(with_bias, v), extended=torch.cat([facts.inputs, one], -1))

    def start(self) -> list[Tensor]:
        """The initial parameters."""
        return list(self.initial)

    def gradient(self, parameters: list[Tensor]) -> list[Tensor]:
        """Of the mean cross-entropy."""
        w, v = parameters
        hidden = torch.bmm(self.extended, w.mT).clamp_(min=0)
        pull = self.facts.pull(torch.bmm(hidden, v.mT)) / self.facts.counts[:, None, None]
        back = torch.ops.aten.threshold_backward(torch.bmm(pull, v), hidden, 0)
        return [torch.bmm(back.mT, self.extended), torch.bmm(pull.mT, hidden)]

    def accuracy(self, parameters: list[Tensor]) -> Float[Tensor, " runs"]:
        """Share of facts recalled."""
        return self.facts.accuracy(self._returned(parameters))

    def loss(self, parameters: list[Tensor]) -> Float[Tensor, " runs"]:
        """Mean cross-entropy in nats."""
        return self.facts.loss(self._returned(parameters))

    def keep(self, runs: Int[Tensor, " kept"]) -> "MLPTraining":
        """The training of some of the runs."""
        facts = self.facts.keep(runs)
        extended = self.extended[runs, : facts.inputs.shape[1]].contiguous()
        return replace(
            self, facts=facts, initial=(self.initial[0][runs], self.initial[1][runs]), extended=extended
        )

    def memory(self, parameters: list[Tensor]) -> MLPMemory:
        """The memory with these parameters."""
        w, v = parameters
        return MLPMemory(w[..., :-1], v, "relu", w[..., -1])

    def _returned(self, parameters: list[Tensor]) -> Tensor:
        w, v = parameters
        return torch.bmm(torch.bmm(self.extended, w.mT).clamp_(min=0), v.mT)


def _padded(rows: Tensor, length: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(length - len(rows), *rows.shape[1:])])
