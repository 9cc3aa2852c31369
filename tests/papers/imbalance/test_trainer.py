"""Loss by frequency inside a real Hugging Face Trainer: the same training, and more in its log."""

import pytest
import torch

from simonides.base import SimonidesError
from simonides.data import manual, words_of
from simonides.papers.imbalance.text_training import word_counts

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
from simonides.papers.imbalance.trainer import FrequencyCallback, FrequencyLoss, follow  # noqa: E402

TEXT = words_of(manual()[:40_000], 60)


class Windows(torch.utils.data.Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, place):
        tokens = TEXT.tokens[place * 16 : place * 16 + 16]
        labels = tokens.clone()
        labels[: place % 5] = -100  # so that batches have different numbers of labels
        return {"input_ids": tokens, "labels": labels}


class Reporter(transformers.TrainerCallback):
    """Stands for TensorBoard and the like: keeps what it is shown."""

    def __init__(self):
        self.seen = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.seen.append(dict(logs))


def trainer(folder, callbacks=(), **options):
    torch.manual_seed(0)
    config = transformers.GPTNeoXConfig(
        vocab_size=len(TEXT.characters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    model = transformers.GPTNeoXForCausalLM(config)
    settings = {
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "max_steps": 4,
        "learning_rate": 1e-1,
        "optim": "sgd",  # Adam would blow up the rounding of gradients that are zero
        "logging_steps": 2,
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
        "save_strategy": "no",
        **options,
    }
    arguments = transformers.TrainingArguments(str(folder), **settings)
    return transformers.Trainer(
        model, arguments, train_dataset=Windows(), eval_dataset=Windows(), callbacks=list(callbacks)
    )


@pytest.fixture(autouse=True)
def quiet():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


@pytest.mark.filterwarnings("ignore")
def test_the_training_is_the_same_and_its_log_has_more(tmp_path):
    plain = trainer(tmp_path / "a")
    plain.train()
    reporter = Reporter()
    followed = trainer(tmp_path / "b", [reporter])
    loss = follow(followed, word_counts(TEXT))
    followed.train()
    for own, other in zip(plain.model.parameters(), followed.model.parameters(), strict=True):
        assert torch.allclose(own, other, rtol=1e-4, atol=1e-6)
    losses = [[entry["loss"] for entry in run.state.log_history if "loss" in entry] for run in (plain, followed)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    # what the reporters saw, and what the Trainer keeps
    logged = [entry for entry in followed.state.log_history if "loss" in entry]
    for entries in (logged, reporter.seen[: len(logged)]):
        assert all("loss/decile_9" in entry and "gradient/decile_9" in entry for entry in entries)
    assert loss.history.steps == [2, 4]
    counted = sum(value for name, value in loss.history.readings[0].items() if name.startswith("count/"))
    labels = sum(int((Windows()[place]["labels"][1:] != -100).sum()) for place in range(24))
    assert 0 < counted <= 2 * labels
    mean = sum(
        loss.history.readings[0][f"loss/decile_{n}"] * loss.history.readings[0].get(f"count/decile_{n}", 0)
        for n in range(10)
        if f"loss/decile_{n}" in loss.history.readings[0]
    )
    assert mean / counted == pytest.approx(loss.history.readings[0]["loss"], rel=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_an_evaluation_is_read_apart(tmp_path):
    run = trainer(tmp_path, eval_strategy="steps", eval_steps=2)
    loss = FrequencyLoss(word_counts(TEXT))
    run.compute_loss_func = loss
    run.add_callback(FrequencyCallback(loss, gradients=False))
    run.train()
    (first, *_) = [entry for entry in run.state.log_history if "eval_loss" in entry]
    counted = sum(value for name, value in first.items() if name.startswith("eval_count/"))
    assert counted == sum(int((Windows()[place]["labels"][1:] != -100).sum()) for place in range(24))
    assert not any(name.startswith("gradient/") for name in loss.history.readings[0])


@pytest.mark.filterwarnings("ignore")
def test_what_would_silently_change_the_training_is_refused(tmp_path):
    smoothed = trainer(tmp_path, label_smoothing_factor=0.1)
    with pytest.raises(SimonidesError, match="smooths labels"):
        follow(smoothed, word_counts(TEXT))
    twice = trainer(tmp_path)
    follow(twice, word_counts(TEXT))
    with pytest.raises(SimonidesError, match="already"):
        follow(twice, word_counts(TEXT))


def test_the_loss_is_that_of_transformers():
    from transformers.loss.loss_utils import ForCausalLMLoss

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 9, 5, generator=generator)
    labels = torch.randint(5, (2, 9), generator=generator)
    labels[0, :4] = -100
    loss = FrequencyLoss([4, 3, 2, 1, 1], bins=2)
    for count in (None, torch.tensor(40)):
        expected = ForCausalLMLoss(logits, labels, 5, num_items_in_batch=count)
        assert float(loss({"logits": logits}, labels, count)) == pytest.approx(float(expected), rel=1e-6)
    classifier = FrequencyLoss([4, 3, 2, 1, 1], bins=2)
    own = classifier({"logits": logits[:, 0]}, torch.tensor([1, 4]))
    assert float(own) == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits[:, 0], torch.tensor([1, 4]))), rel=1e-6
    )


@pytest.mark.parametrize(
    ("outputs", "labels", "message"),
    [
        ({"logits": torch.zeros(1, 3, 2)}, None, "no labels"),
        ({"last_hidden_state": torch.zeros(1, 3, 2)}, torch.zeros(1, 3).long(), "no logits"),
        ({"logits": torch.zeros(1, 3, 2)}, torch.full((1, 3), 2), "outside 0 .. 1"),
        ({"logits": torch.zeros(1, 3, 4)}, torch.zeros(1, 3).long(), "pads its vocabulary"),
    ],
)
def test_batches_that_cannot_be_read_are_refused(outputs, labels, message):
    with pytest.raises(SimonidesError, match=message):
        FrequencyLoss([2, 1], bins=2)(outputs, labels)


def of_kind(kind, folder):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=3,
    )
    arguments = transformers.TrainingArguments(str(folder), report_to=[], use_cpu=True)
    return transformers.Trainer(getattr(transformers, kind)(config), arguments)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "causal"),
    [
        ("BertForMaskedLM", False),
        ("BertForTokenClassification", False),
        ("BertForSequenceClassification", False),
        ("BertLMHeadModel", True),
    ],
)
def test_the_models_class_tells_whether_labels_are_shifted(kind, causal, tmp_path):
    assert follow(of_kind(kind, tmp_path), [1] * 60).causal is causal


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_told_is_asked(tmp_path):
    with pytest.raises(SimonidesError, match="it cannot be told"):
        follow(of_kind("BertForNextSentencePrediction", tmp_path), [1, 1])
    assert follow(of_kind("BertForNextSentencePrediction", tmp_path), [1, 1], causal=False).causal is False

    class Own(transformers.Trainer):
        def compute_loss(self, *args, **kwargs):
            return None

    own = of_kind("BertForMaskedLM", tmp_path)
    own.__class__ = Own
    with pytest.raises(SimonidesError, match="computes its loss itself"):
        follow(own, [1] * 60)
    with pytest.raises(SimonidesError, match="aux_loss"):
        FrequencyLoss([1, 1], 2)(
            {"logits": torch.zeros(1, 2, 2), "aux_loss": torch.ones(())}, torch.zeros(1, 2).long()
        )


@pytest.mark.filterwarnings("ignore")
def test_evaluations_of_several_sets_are_read_apart(tmp_path):
    run = trainer(tmp_path)
    loss = follow(run, word_counts(TEXT))
    labels = sum(int((Windows()[place]["labels"][1:] != -100).sum()) for place in range(24))
    run.eval_dataset = {"a": Windows(), "b": Windows()}
    run.evaluate()
    run.predict(Windows())
    run.evaluate()
    for entry in run.state.log_history:
        prefix = next(name.removesuffix("loss") for name in entry if name.endswith("_loss"))
        assert sum(v for name, v in entry.items() if name.startswith(f"{prefix}count/")) == labels
    assert loss.evaluation.compute() == {}
