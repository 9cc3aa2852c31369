"""Heavy-tailed subsets of a labelled data set, and balanced twins of the same size.

Letters: `n` samples, `C` classes.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError, zipf


def imbalanced_subset(
    targets: Int[Tensor, " n"], exponent: float, generator: torch.Generator, balanced: bool = False
) -> Int[Tensor, " kept"]:
    """Places of samples whose classes have counts proportional to k^-exponent, class k - 1 being the k-th.

    As many samples as the classes allow: the most frequent class, or whichever is scarcest for its share, is used up.
    The balanced twin has as many samples in all, up to one a class, evenly over the classes.

    Arguments:
        targets: the class of each sample; every class from 0 on must come.
        exponent: of the counts; 1 is Zipf's law, 0 balanced.
        generator: chooses the samples.
        balanced: whether to give the twin.

    Raises:
        SimonidesError: when a class has no samples, or would be left without one, or too few samples are there for the
            balanced twin.

    >>> targets = torch.arange(3).repeat_interleave(60)
    >>> kept = imbalanced_subset(targets, 1.0, torch.Generator().manual_seed(0))
    >>> torch.bincount(targets[kept]).tolist()
    [60, 30, 20]
    """
    if targets.dim() != 1 or not len(targets) or int(targets.min()) < 0:
        raise SimonidesError("targets are no row of classes from 0 on; give one for each sample.")
    there = torch.bincount(targets)
    if int(there.min()) == 0:
        raise SimonidesError(f"class {int(there.argmin())} has no samples; number the classes without gaps.")
    shares = zipf(len(there), exponent)
    whole = float((there / shares).min())
    # a share that is a whole number but for rounding is that number
    wanted = (shares * whole + 1e-9).floor().long()
    if int(wanted.min()) == 0:
        raise SimonidesError(
            f"an exponent of {exponent:g} over {len(there)} classes leaves the rarest without a sample; give a smaller "
            "one, or more samples."
        )
    if balanced:
        each, rest = divmod(int(wanted.sum()), len(there))
        wanted = each + (torch.arange(len(there)) < rest).long()
        if bool((wanted > there).any()):
            short = int((there - wanted).argmin())
            raise SimonidesError(
                f"the balanced twin needs {int(wanted[short])} samples of class {short}, which has "
                f"{int(there[short])}; give a larger exponent, or more samples."
            )
    chosen = []
    for number, count in enumerate(wanted.tolist()):
        members = (targets == number).nonzero()[:, 0]
        chosen.append(members[torch.randperm(len(members), generator=generator)[:count]])
    return torch.cat(chosen)
