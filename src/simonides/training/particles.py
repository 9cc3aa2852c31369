"""Training a linear memory through its scores: tokens as interacting particles.

Gradient descent on the cross-entropy moves W within the span of the u_y e_x^T, so the scores
L[x, y] = <u_y, W e_x> move on their own: with the Gram matrices K_e and K_u of the embeddings,

    L <- L + eta K_e (w * (1{y = f(x)} - softmax L)) K_u,

w[x] = p(x) for the population, n_x/B for a batch with counts n. Exact, and a step costs N M (N + M) whatever the
width; Cabannes, Simsek & Bietti (2024). Letters: `N` tokens, `M` answers, `R` stacked runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import Generators, SimonidesError, check_at_least, drawn

Rate = float | Float[Tensor, " runs"]
Scores = Float[Tensor, "runs N M"]


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """What R runs went through, at K recorded steps.

    Arguments:
        steps: updates done.
        loss: population cross-entropy in nats.
        error: population error, 1 minus accuracy; an answer must be above all others to count.
        margins: score of the right answer minus that of the best other.
        scores: those after the last step.
    """

    steps: Int[Tensor, " K"]
    loss: Float[Tensor, "runs K"]
    error: Float[Tensor, "runs K"]
    margins: Float[Tensor, "runs K N"]
    scores: Scores

    def first_step(self, error: float) -> Float[Tensor, " runs"]:
        """The first recorded number of updates after which the error is at most this; NaN where it never is."""
        reached = self.error <= error
        steps = self.steps.double().to(self.error.device)[reached.double().argmax(-1)]
        return torch.where(reached.any(-1), steps, torch.nan)


@dataclass(frozen=True, kw_only=True)
class Particles:
    """R linear memories in training, each with its own embeddings.

    Arguments:
        input_gram: <e_x, e_x'>.
        output_gram: <u_y, u_y'>.
        targets: f(x).
        probabilities: p(x).
        start: scores of the initial W; zero for W = 0.
    """

    input_gram: Float[Tensor, "runs N N"]
    output_gram: Float[Tensor, "runs M M"]
    targets: Int[Tensor, "runs N"]
    probabilities: Float[Tensor, "runs N"]
    start: Scores

    @classmethod
    def of(
        cls,
        inputs: Float[Tensor, "*runs N d_in"],
        outputs: Float[Tensor, "*runs M d_out"],
        targets: Int[Tensor, "*rows _"],
        probabilities: Float[Tensor, "*rows _"],
        weight: Float[Tensor, "*runs d_out d_in"] | None = None,
    ) -> "Particles":
        """Those of embeddings, in float64; one row of targets or probabilities serves all runs.

        Embeddings without an axis of runs are a stack of one.

        Raises:
            SimonidesError: when there is not one target and one probability for every input.
        """
        e, u = (part[None] if part.dim() == 2 else part for part in (inputs.double(), outputs.double()))
        weight = weight[None] if weight is not None and weight.dim() == 2 else weight
        if e.dim() != 3 or u.dim() != 3 or len(e) != len(u):
            raise SimonidesError(
                f"inputs of shape {list(inputs.shape)} and outputs of {list(outputs.shape)}; give [runs, N, d] and "
                "[runs, M, d], or both without runs."
            )
        rows = e.shape[:-1]
        if targets.shape[-1] != rows[1] or probabilities.shape[-1] != rows[1]:
            raise SimonidesError(
                f"{rows[1]} inputs, {targets.shape[-1]} targets and {probabilities.shape[-1]} probabilities; "
                "give one of each for every input."
            )
        start = e.new_zeros(*rows, u.shape[1]) if weight is None else e @ weight.double().mT @ u.mT
        return cls(
            input_gram=e @ e.mT,
            output_gram=u @ u.mT,
            targets=targets.expand(rows),
            probabilities=probabilities.double().expand(rows),
            start=start,
        )

    def pull(self, scores: Scores, weights: Float[Tensor, "runs N"] | None = None) -> Scores:
        """How the scores move at rate one: minus the gradient, as the scores see it."""
        w = self.probabilities if weights is None else weights
        excess = torch.softmax(scores, -1)
        excess.scatter_add_(-1, self.targets[..., None], -torch.ones_like(scores[..., :1]))
        return -(self.input_gram @ (excess * w[..., None]) @ self.output_gram)

    def loss(self, scores: Scores) -> Float[Tensor, " runs"]:
        """Population cross-entropy in nats."""
        right = scores.gather(-1, self.targets[..., None])[..., 0]
        return (self.probabilities * (torch.logsumexp(scores, -1) - right)).sum(-1)

    def margins(self, scores: Scores) -> Float[Tensor, "runs N"]:
        """Score of the right answer minus that of the best other."""
        place = self.targets[..., None]
        return scores.gather(-1, place)[..., 0] - scores.scatter(-1, place, -torch.inf).amax(-1)

    def error(self, scores: Scores) -> Float[Tensor, " runs"]:
        """sum_x p(x) 1{margin of x is not positive}."""
        return (self.probabilities * (self.margins(scores) <= 0)).sum(-1)

    def descend(
        self,
        steps: int,
        rate: Rate | Callable[[int], Rate],
        weights: Float[Tensor, "runs steps N"] | None = None,
        record: Sequence[int] | None = None,
    ) -> Trajectory:
        """Gradient descent from `start`.

        Arguments:
            steps: updates.
            rate: eta, for all runs or each; or a function of the step that gives it.
            weights: w of every step; by default the population's p.
            record: after how many updates to take notes, in rising order; by default after each, and before.
        """
        check_at_least("steps", steps, 1)
        wanted = list(record) if record is not None else list(range(steps + 1))
        if not wanted or wanted != sorted(set(wanted)) or not 0 <= wanted[0] <= wanted[-1] <= steps:
            raise SimonidesError(f"record = {wanted} does not rise within 0 .. {steps}; give such steps.")
        rows: list[tuple[Tensor, Tensor, Tensor]] = []
        scores = self.start.clone()
        for step in range(steps + 1):
            if step in wanted[len(rows) : len(rows) + 1]:
                rows.append((self.loss(scores), self.error(scores), self.margins(scores)))
            if step == steps:
                break
            eta = rate(step) if callable(rate) else rate
            eta = eta.to(scores)[:, None, None] if isinstance(eta, Tensor) else eta
            scores = scores + eta * self.pull(scores, None if weights is None else weights[:, step])
        loss, error, margins = (torch.stack(column, 1) for column in zip(*rows, strict=True))
        return Trajectory(steps=torch.tensor(wanted), loss=loss, error=error, margins=margins, scores=scores)


def batch_counts(
    probabilities: Float[Tensor, " N"], steps: int, batch: int, generators: Generators
) -> Float[Tensor, "*runs steps N"]:
    """n_x/B of `steps` batches of B independent tokens: weights for `Particles.descend`."""
    check_at_least("steps", steps, 1)
    check_at_least("batch", batch, 1)
    p = probabilities.double()

    def sample(g: torch.Generator) -> Tensor:
        tokens = torch.multinomial(p, steps * batch, replacement=True, generator=g).reshape(steps, batch)
        counts = torch.zeros(steps, len(p), dtype=torch.float64)
        return counts.scatter_add_(1, tokens, torch.ones_like(tokens, dtype=torch.float64)) / batch

    return drawn(sample, generators)
