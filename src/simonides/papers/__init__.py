"""What is claimed: one folder a paper, with one file a claim."""

# one claim for each part of the talk, in its order
TALK = (
    "memories/linear-capacity",
    "memories/low-rank-capacity",
    "memories/mlp-capacity",
    "gradients/one-step-memory",
    "scaling/data-limited",
    "induction/depth",
    "induction/global-before-context",
    "facts/sequential-learning",
    "facts/hallucination-order",
    "truncation/noise-in-feedforward",
)
