"""One-layer recall models: counts against tokens, constructions, training, gradient flow against an ODE solver."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from torch.nn.functional import cross_entropy

from simonides.base import SimonidesError
from simonides.nn import CountedTransformer, Trace, Transformer, TransformerConfig, counted_logits
from simonides.papers.facts.construction import construct_recall
from simonides.papers.facts.flow import flow
from simonides.papers.facts.model import linear_attention_model, parameter_count, recall_transformer
from simonides.papers.facts.theory import heads_recall, rate_ratio, relation_rate, subject_rate, width_for_heads
from simonides.papers.facts.training import train_recall
from simonides.tasks import Prompts, synthetic_facts
from simonides.training import Records, fit


def some_task(subjects=5, relations=3, answers=4, noise=6, length=12, seed=0, kind="random", end="eos"):
    facts = synthetic_facts(subjects, relations, answers, torch.Generator().manual_seed(seed), kind)
    return Prompts(facts=facts, noise=noise, length=length, end=end)


def dense(model, tokens):
    at = torch.full((len(tokens), 1), tokens.shape[1] - 1)
    return model(tokens, at=at)[:, 0]


def counted(tokens, vocabulary):
    return torch.zeros(len(tokens), vocabulary).scatter_add_(1, tokens, torch.ones(tokens.shape))


@given(
    heads=st.sampled_from([1, 2, 4]),
    attention=st.sampled_from(["softmax", "linear"]),
    feed_forward=st.sampled_from(["none", "linear", "mlp"]),
    norm=st.sampled_from(["none", "pre"]),
    residual=st.booleans(),
    end=st.sampled_from(["eos", "relation"]),
    scale=st.sampled_from([1.0, 12.0]),
)
@settings(max_examples=40)
def test_counts_say_all_that_tokens_say(heads, attention, feed_forward, norm, residual, end, scale):
    task, generator = some_task(end=end), torch.Generator().manual_seed(0)
    config = TransformerConfig(
        vocabulary=task.vocabulary,
        outputs=9,
        length=12,
        d=16,
        layers=1,
        heads=heads,
        attention=attention,
        feed_forward=feed_forward,
        hidden_bias=True,
        norm=norm,
        residual=residual,
        positions="none",
    )
    model = Transformer(config, generator)
    with torch.no_grad():
        model.layers[0].attention.W_Q *= scale  # large scores take the other path
    rows = torch.arange(15)
    tokens = task.tokens(rows, generator)
    counts = counted(tokens, task.vocabulary)
    expected = dense(model, tokens)
    torch.testing.assert_close(counted_logits(model, counts, tokens[:, -1]), expected, rtol=1e-4, atol=1e-5)
    if end == "eos" and scale == 1.0:
        found = CountedTransformer(model, task.vocabulary - 1)(counts)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_gradients_through_counts_are_those_through_tokens(generator):
    task = some_task()
    model = recall_transformer(task, 16, 4, 2, 8, generator)
    rows = torch.arange(15)
    tokens = task.tokens(rows, generator)
    cross_entropy(dense(model, tokens), task.facts.answers).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    fast = CountedTransformer(model, task.vocabulary - 1)(counted(tokens, task.vocabulary))
    cross_entropy(fast, task.facts.answers).backward()
    for name, gradient in expected.items():
        torch.testing.assert_close(dict(model.named_parameters())[name].grad, gradient, rtol=1e-4, atol=1e-6)


def test_scores_out_of_range_never_become_nan(generator):
    task = some_task()
    model = recall_transformer(task, 16, 4, 2, 8, generator)
    with torch.no_grad():
        model.layers[0].attention.W_Q *= 1e4
    rows = torch.arange(15)
    tokens = task.tokens(rows, generator)
    counts = counted(tokens, task.vocabulary)
    torch.testing.assert_close(
        counted_logits(model, counts, tokens[:, -1]), dense(model, tokens), rtol=1e-3, atol=1e-4
    )
    assert bool(CountedTransformer(model, task.vocabulary - 1)(counts).isfinite().all())


@pytest.mark.parametrize("change", [{"layers": 2}, {"positions": "learned"}])
def test_other_models_are_refused(change, generator):
    config = TransformerConfig(
        **{"vocabulary": 9, "length": 4, "d": 8, "layers": 1, "positions": "none", **change}
    )
    with pytest.raises(SimonidesError, match="one layer with positions='none'"):
        CountedTransformer(Transformer(config, generator), 8)


def test_parameters_are_counted(generator):
    model = recall_transformer(some_task(), 16, 8, 2, 16, generator)
    weights = sum(p.numel() for n, p in model.named_parameters() if p.requires_grad and "b_in" not in n)
    assert weights == parameter_count(16, 8, 2, 16) == 1536


def recall(model, task, generator):
    rows = torch.arange(len(task.facts))
    counts = task.counts(rows, generator).to(model.W_E)
    return float((counted_logits(model, counts, task.ends(rows)).argmax(-1) == task.facts.answers).double().mean())


def test_attention_alone_recalls_what_theory_says(generator):
    found = []
    for seed in range(30):
        task = some_task(12, 6, 4, noise=8, seed=seed)
        found.append(recall(construct_recall(task, 96, 12, generator), task, generator))
    assert sum(found) / len(found) == pytest.approx(heads_recall(96, 6, 4), abs=0.02)
    task = some_task(12, 6, 4, noise=8)
    assert recall(construct_recall(task, 3 * width_for_heads(6, 4), 12, generator), task, generator) == 1.0


def test_the_constructed_head_looks_at_its_token_or_at_the_end(generator):
    task = some_task(6, 3, 4, noise=8)
    model = construct_recall(task, 64, 3, generator)
    tokens = task.tokens(torch.arange(18), generator)
    trace = Trace("layers.0.attention.weights")
    model.run(tokens, trace=trace)
    weights = trace["layers.0.attention.weights"][:, :, -1]
    for prompt, row in zip(tokens, weights, strict=True):
        for head, block in enumerate([{0, 1, 2}, {3, 4, 5}, {6, 7, 8}]):
            there = [t for t, token in enumerate(prompt.tolist()) if token in block]
            assert float(row[head, there[0] if there else -1]) > 0.999


def test_an_mlp_behind_the_heads_knows_the_answers(generator):
    task = some_task(8, 8, 4, noise=8)
    assert recall(construct_recall(task, 64, 8, generator, hidden=4096), task, generator) >= 0.98


def test_constructions_that_cannot_be_are_refused(generator):
    with pytest.raises(SimonidesError, match="do not fit"):
        construct_recall(some_task(), 8, 8, generator)
    with pytest.raises(SimonidesError, match="end='eos'"):
        construct_recall(some_task(end="relation"), 64, 4, generator)


def test_a_stack_of_trainings_learns_all_facts():
    tasks = [some_task(6, 6, 4, noise=12, seed=seed) for seed in range(2)]
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    models = [recall_transformer(t, 16, 8, 2, 16, g) for t, g in zip(tasks, generators, strict=True)]
    found = train_recall(models, tasks, generators, steps=600, batch=128)
    assert bool((found.best >= 0.99).all())
    assert found.history.stopped
    for model, task in zip(found.models, tasks, strict=True):
        assert recall(model, task, torch.Generator().manual_seed(9)) >= 0.95
    with pytest.raises(SimonidesError, match="groups of equal"):
        train_recall(models, [tasks[0], some_task(5, 6, 4)], generators, steps=1)


def test_what_a_run_learns_does_not_depend_on_its_stack():
    def trained(seeds):
        tasks = [some_task(6, 6, 4, noise=12, seed=seed) for seed in seeds]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        models = [recall_transformer(t, 16, 8, 2, 16, g) for t, g in zip(tasks, generators, strict=True)]
        return train_recall(models, tasks, generators, steps=400, batch=128, accuracy=0.8, every=16)

    alone, together = trained([0]), trained([0, 1, 2])
    assert len(together.history.steps) > len(alone.history.steps)  # another of the stack took longer
    assert float(alone.best[0]) == pytest.approx(float(together.best[0]), abs=1e-6)
    for own, other in zip(alone.models[0].parameters(), together.models[0].parameters(), strict=True):
        torch.testing.assert_close(own, other, atol=1e-3, rtol=1e-3)


def test_population_descent_is_the_mean_of_sampled_steps(generator):
    """One step on expected counts equals the mean over noise, as noise tokens are alike at the start."""
    task = some_task(4, 2, 4, noise=3, length=10, kind="balanced")
    rows = torch.arange(8)
    exact, sampled = (
        CountedTransformer(linear_attention_model(task, 0.05), task.vocabulary - 1) for _ in range(2)
    )
    cross_entropy(exact(task.expected_counts(rows)), task.facts.answers).backward()
    many = rows.repeat(20_000)
    cross_entropy(sampled(task.counts(many, generator)), task.facts.answers[many]).backward()
    for a, b in zip(exact.parameters(), sampled.parameters(), strict=True):
        if a.requires_grad:
            torch.testing.assert_close(a.grad, b.grad, rtol=0.0, atol=2e-4)


def test_gradient_flow_against_an_ode_solver():
    """The flow of W_OV and w_KQ written out by hand, solved by scipy, against small steps of descent."""
    subjects, relations, answers, alpha, time = 4, 2, 2, 0.05, 40.0
    task = some_task(subjects, relations, answers, noise=3, length=8, kind="structured")
    counts = task.expected_counts(torch.arange(8)).double().numpy()
    target = np.eye(relations * answers)[task.facts.answers]
    size, tokens = relations * answers, task.vocabulary

    def slope(_, state):
        values, keys = state[: size * tokens].reshape(size, tokens), state[size * tokens :]
        logits = counts @ (values * keys).T
        p = np.exp(logits - logits.max(1, keepdims=True))
        excess = (p / p.sum(1, keepdims=True) - target).T @ counts / len(counts)
        return np.concatenate([-(excess * keys).ravel(), -(excess * values).sum(0)])

    solved = solve_ivp(slope, (0, time), np.full(size * tokens + tokens, alpha), rtol=1e-9, atol=1e-12).y[:, -1]
    model = CountedTransformer(linear_attention_model(task, alpha), tokens - 1)
    batch = task.expected_counts(torch.arange(8))
    fit(
        model,
        lambda m, _: cross_entropy(m(batch), task.facts.answers),
        lambda _: None,
        lambda p: torch.optim.SGD(p, 0.01),
        round(time / 0.01),
        torch.Generator(),
    )
    layer = model.model.layers[0].attention
    values, keys = (
        layer.W_O[0, :size, :tokens].detach().double(),
        layer.W_K[0, tokens - 1, :tokens].detach().double(),
    )
    torch.testing.assert_close(
        values, torch.from_numpy(solved[: size * tokens].reshape(size, tokens)), atol=3e-3, rtol=0.01
    )
    torch.testing.assert_close(keys, torch.from_numpy(solved[size * tokens :]), atol=3e-3, rtol=0.01)


def test_the_flow_written_out_is_the_transformers():
    """The loss along `flow` against descent on the whole transformer from counts, two runs."""
    tasks = [some_task(6, 3, 4, noise=5, length=12, seed=seed) for seed in (0, 1)]
    trajectory = flow(tasks, 0.05, 0.3, 40, 10, None)
    for run, task in enumerate(tasks):
        batch, answers = task.expected_counts(torch.arange(len(task.facts))), task.facts.answers
        model = CountedTransformer(linear_attention_model(task, 0.05), task.vocabulary - 1)
        losses = fit(
            model,
            lambda m, _, batch=batch, answers=answers: cross_entropy(m(batch), answers),
            lambda _: None,
            lambda p: torch.optim.SGD(p, 0.3),
            40,
            torch.Generator(),
            records=Records(every=10),
        )
        torch.testing.assert_close(
            trajectory.loss[run].float(), losses.column("loss").float(), rtol=1e-5, atol=1e-6
        )


@given(st.integers(2, 20), st.integers(2, 9), st.integers(2, 9))
@settings(max_examples=30)
def test_rates_are_norms_of_the_first_gradient(subjects, relations, answers):
    """lambda_z = |E[count_z (1{y = .} - 1/A)]|, of a token averaged over a balanced table."""
    generator = torch.Generator().manual_seed(0)
    facts = synthetic_facts(subjects * answers, relations, answers, generator, "balanced")
    excess = torch.eye(relations * answers)[facts.answers] - 1 / (relations * answers)
    of_relation = excess[facts.relations == 0].sum(0) / len(facts)
    assert float(of_relation.norm()) == pytest.approx(relation_rate(relations, answers), rel=1e-4)
    known = torch.eye(relations * answers)[facts.answers] - facts.by_relation[facts.relations].float()
    of_subject = known[facts.subjects == 0].sum(0) / len(facts)
    assert float(of_subject.norm()) == pytest.approx(
        subject_rate(subjects * answers, relations, answers), rel=1e-4
    )
    ratio = relation_rate(relations, answers) / subject_rate(subjects, relations, answers)
    assert rate_ratio(subjects, relations, answers) == pytest.approx(ratio)
    assert ratio == pytest.approx(subjects / relations * ((relations - 1) / (answers - 1)) ** 0.5)


def test_zero_start_is_refused():
    with pytest.raises(SimonidesError, match="no gradient leads away"):
        linear_attention_model(some_task(), 0.0)
