"""A linear memory in training on a population: exact sums over its inputs, weighed by their frequencies."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError
from simonides.nn import weighted_cross_entropy
from simonides.training import Stack

PARTS = ("inputs", "outputs", "weight")


@dataclass(frozen=True, kw_only=True)
class Population:
    """R runs of N inputs with M answers.

    Arguments:
        inputs: e_x.
        outputs: u_y.
        targets: f(x).
        probabilities: p(x), for all runs or each.
    """

    inputs: Float[Tensor, "runs N d_in"]
    outputs: Float[Tensor, "runs M d_out"]
    targets: Int[Tensor, "*rows N"]
    probabilities: Float[Tensor, "*rows N"]


class PopulationMemory(Stack):
    """Scores <u_y, W e_x> of R runs, trained on sum_x p(x) times the cross-entropy of x.

    Arguments:
        population: what is learned.
        start: the initial W; zero by default.
        trained: which of "inputs", "outputs" and "weight" are trained.
        normalised: whether W e_x is divided by its length before it is read.

    Raises:
        SimonidesError: when `trained` names something else.
    """

    def __init__(
        self,
        population: Population,
        start: Float[Tensor, "runs d_out d_in"] | None = None,
        trained: tuple[str, ...] = ("weight",),
        normalised: bool = False,
    ) -> None:
        e, u = population.inputs, population.outputs
        if strange := set(trained) - set(PARTS):
            raise SimonidesError(f"{sorted(strange)} cannot be trained; known are {', '.join(PARTS)}.")
        super().__init__(len(e))
        self.normalised = normalised
        weight = e.new_zeros(len(e), u.shape[-1], e.shape[-1]) if start is None else start.clone()
        for name, value in zip(PARTS, (e.clone(), u.clone(), weight), strict=True):
            self.register_parameter(name, nn.Parameter(value, requires_grad=name in trained))
        self.register_buffer("targets", population.targets.expand(e.shape[:2]).clone())
        self.register_buffer("probabilities", population.probabilities.to(e).expand(e.shape[:2]).clone())

    def forward(self) -> Float[Tensor, "runs N M"]:
        """The scores."""
        returned = self.get_parameter("inputs") @ self.get_parameter("weight").mT
        if self.normalised:
            returned = returned / (returned.square().sum(-1, keepdim=True) + 1e-6).sqrt()
        return returned @ self.get_parameter("outputs").mT

    def loss(self, weights: Float[Tensor, "runs N"] | None = None) -> Float[Tensor, " runs"]:
        """Cross-entropy in nats, of the population or with other weights, such as a batch's counts."""
        probabilities = self.get_buffer("probabilities") if weights is None else weights
        return weighted_cross_entropy(self(), self.get_buffer("targets"), probabilities)

    def error(self) -> Float[Tensor, " runs"]:
        """sum_x p(x) 1{the largest score is another's}."""
        wrong = self().argmax(-1) != self.get_buffer("targets")
        return (wrong * self.get_buffer("probabilities")).sum(-1)
