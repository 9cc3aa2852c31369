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

# quick ones, of several papers: together about a minute on two cores
DEMO = (
    "gradients/noisy-inputs",
    "memories/linear-capacity",
    "gradients/one-step-memory",
    "scaling/data-limited",
    "dynamics/suboptimal-memorisation",
    "scaling/learned-embeddings",
    "induction/closed-form-width",
)
