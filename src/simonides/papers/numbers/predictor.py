"""A model that fills in numbers of documents, trained on documents of one's own."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from simonides.base import (
    SimonidesError,
    check_at_least,
    check_finite,
    check_seed,
    chosen_device,
    new_folder,
    read_json_object,
    write_tensors,
    write_text,
)
from simonides.papers.numbers.documents import PathPattern, Vocabulary, key_of
from simonides.papers.numbers.encodings import make_encoding
from simonides.papers.numbers.model import NumberModel, NumberModelConfig, model_config
from simonides.papers.numbers.number_features import ScaledEmbedding
from simonides.papers.numbers.sequences import SPECIAL, NumberSequences, encode
from simonides.papers.numbers.tabular import Document, Prepared, Scale, prepare, scale_of
from simonides.papers.numbers.training import NumberTraining, read_numbers, train_numbers
from simonides.training import History

LEVEL = 0.9
_SETTINGS, _WEIGHTS = "numbers.json", "model.safetensors"
# documents that a training needs: one in ten is held out, and one in ten makes intervals
_FEWEST = 20


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """How a predictor is made.

    Arguments:
        encoding: a key of `simonides.papers.numbers.encodings.ENCODINGS`.
        d, layers, heads: of the transformer.
        steps, batch, rate: of the training.
        seed: of the split, the weights and the batches.
    """

    encoding: str = "xval"
    d: int = 64
    layers: int = 2
    heads: int = 4
    steps: int = 1000
    batch: int = 32
    rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        make_encoding(self.encoding)
        for name in ("d", "layers", "heads", "steps", "batch"):
            check_at_least(name, getattr(self, name), 1)
        check_seed(self.seed)
        if self.d % self.heads:
            raise SimonidesError(f"d = {self.d} does not part into {self.heads} heads; give a multiple.")
        if not isinstance(self.rate, (int, float)) or not 0 < self.rate < 1:
            raise SimonidesError(f"rate = {self.rate}; give a learning rate above 0 and below 1.")


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A number that was filled in.

    Arguments:
        row: of the document in what was given, from 1.
        path: where it stands.
        value: what the model says; NaN where that is no number.
        low, high: an interval; of 90 % of documents as those of the training they cover all numbers of the key. None
            where too few were held out.
        given: what the document had there; None for null.
        outside: whether a number of the document lies outside the range of the training, or its keys are others than
            those of any document there.
    """

    row: int
    path: str
    value: float
    low: float | None
    high: float | None
    given: float | None
    outside: bool


@dataclass(frozen=True, kw_only=True)
class KeyQuality:
    """How well the numbers of one key are filled in on documents held out, beside what needs no model.

    Arguments:
        key: whose.
        numbers: how many.
        error: root mean square.
        constant: that of the mean of the training.
        linear: that of a least-squares fit of the other numbers; None where documents differ in form.
        explained: R^2; None where the numbers do not differ.
        covered: share of the numbers in their intervals; None where there are none.
        invalid: share of answers that are no numbers, where none is ruled out.
    """

    key: str
    numbers: int
    error: float
    constant: float
    linear: float | None
    explained: float | None
    covered: float | None
    invalid: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """What came of a training.

    Arguments:
        predictor: the model.
        qualities: of each key that is asked for.
        filled: the numbers held out.
        documents: in training, for intervals, and held out.
        left_out: documents in which a number asked for is null, or that are held out and have a key of their own.
        tokens: of the longest document.
        seconds: of the training.
        told: what the encoding changes of the training's numbers.
        history: of the training.
    """

    predictor: "NumberPredictor"
    qualities: tuple[KeyQuality, ...]
    filled: tuple[Filled, ...]
    documents: tuple[int, int, int]
    left_out: int
    tokens: int
    seconds: float
    told: dict[str, int]
    history: History


class NumberPredictor:
    """Fills in the numbers at one path of documents.

    >>> rows = [{"x": x / 10, "y": x / 5} for x in range(200)]
    >>> config = PredictorConfig(steps=60, d=16, layers=1, batch=16)
    >>> fitted = fit_predictor(rows, "y", config)
    >>> fitted.predictor.predict([{"x": 5.0, "y": None}])[0].path
    'y'
    """

    def __init__(
        self,
        config: PredictorConfig,
        mask: str,
        model: NumberModel,
        vocabulary: Vocabulary,
        scales: Mapping[str, Scale],
        margins: Mapping[str, float | None],
        forms: frozenset[tuple[str, ...]],
        spells: bool,
    ) -> None:
        self.config, self.mask, self.model = config, mask, model
        self.encoding = make_encoding(config.encoding)
        self.vocabulary, self.scales, self.margins = vocabulary, dict(scales), dict(margins)
        self.forms, self.spells = forms, spells

    def predict(self, documents: Sequence[Document], source: str = "the documents") -> list[Filled]:
        """The numbers at the path, whatever the documents say there.

        Raises:
            SimonidesError: when a document has nothing there, a number of a key that was not trained on, or is longer
                than any that was.
        """
        return self.fill(prepare(documents, self.mask, source))

    def fill(self, prepared: Prepared) -> list[Filled]:
        """The same of documents that are prepared."""
        sequences, asked = prepared.sequences(self.vocabulary, self.scales)
        self._check_words(prepared, sequences)
        found = self._read(sequences, asked)
        filled = []
        for row in range(len(prepared)):
            outside = self._outside(prepared, row)
            places = np.flatnonzero(prepared.asked[row])
            for column, place in enumerate(places):
                path = prepared.paths[row][place]
                scale, margin = self._scale(path), self.margins.get(key_of(path))
                value, low, high = (float(one[row, column]) for one in found)
                given = float(prepared.numbers[row][place])
                known = margin is not None and not np.isnan(value)
                filled.append(
                    Filled(
                        row=prepared.rows[row],
                        path=path,
                        value=value * scale.spread + scale.centre,
                        low=(low - (margin or 0.0)) * scale.spread + scale.centre if known else None,
                        high=(high + (margin or 0.0)) * scale.spread + scale.centre if known else None,
                        given=None if np.isnan(given) else given,
                        outside=outside,
                    )
                )
        return filled

    def _scale(self, path: str) -> Scale:
        scale = scale_of(path, self.scales)
        assert scale is not None  # or the sequences had been refused
        return scale

    def _outside(self, prepared: Prepared, row: int) -> bool:
        """Whether what a document gives is unlike all documents of the training."""
        paths, numbers, asked = prepared.paths[row], prepared.numbers[row], prepared.asked[row]
        if tuple(dict.fromkeys(map(key_of, paths))) not in self.forms:
            return True
        pairs = zip(paths, numbers.tolist(), asked.tolist(), strict=True)
        return any(not marked and not self._scale(p).low <= x <= self._scale(p).high for p, x, marked in pairs)

    def _check_words(self, prepared: Prepared, sequences: NumberSequences) -> None:
        """Raise `SimonidesError` where a document has a word that the training had neither whole nor in bytes."""
        if self.spells:
            return
        rows = _in_bytes(sequences).any(1).nonzero()[:, 0]
        if len(rows):
            row = int(rows[0])
            unknown = _spelled_part(sequences.symbols[row].tolist())
            raise SimonidesError(
                f"document {prepared.rows[row]} has {unknown!r}, which is in no document of the training: the model "
                "cannot read it. Train on documents that have it, or leave it out of all."
            )

    def _read(
        self, sequences: NumberSequences, asked: Bool[Tensor, "n S"], constrained: bool = True
    ) -> tuple[Float[Tensor, "n M"], Float[Tensor, "n M"], Float[Tensor, "n M"]]:
        """Scaled values, and the interval that the head says; without one the value twice."""
        words = len(self.vocabulary.words)
        values, outputs = read_numbers(self.model, self.encoding, words, sequences, asked, constrained)
        if isinstance(self.encoding, ScaledEmbedding) and self.encoding.quantiles:
            low, high = self.encoding.interval(outputs).double().unbind(-1)
            return values, low, high
        return values, values, values

    def save(self, folder: Path) -> None:
        """Write settings and weights to a new folder, whole or not at all.

        Raises:
            SimonidesError: when there is something already.
        """
        settings = {
            "format": 1,
            "config": asdict(self.config),
            "mask": self.mask,
            "length": self.model.config.trunk.length,
            "words": self.vocabulary.words,
            "scales": {key: asdict(scale) for key, scale in self.scales.items()},
            "margins": self.margins,
            "forms": sorted(self.forms),
            "spells": self.spells,
        }
        with new_folder(folder) as partial:
            write_text(partial / _SETTINGS, json.dumps(settings, ensure_ascii=False, allow_nan=False) + "\n")
            write_tensors(partial / _WEIGHTS, self.model.state_dict())

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> "NumberPredictor":
        """What `save` has written.

        Raises:
            SimonidesError: when the folder is none of these, or its files do not belong together.
        """
        if not folder.is_dir():
            raise SimonidesError(f"{folder} is no folder; give one that `simonides numbers train` has written.")
        settings = read_json_object(folder / _SETTINGS)
        try:
            if settings["format"] != 1:
                raise SimonidesError(f"{folder} has the format {settings['format']!r}; this version reads 1.")
            config = PredictorConfig(**settings["config"])
            vocabulary = Vocabulary(tuple(settings["words"]))
            scales = {key: Scale(**scale) for key, scale in settings["scales"].items()}
            margins = {
                key: None if margin is None else _finite(margin) for key, margin in settings["margins"].items()
            }
            forms = frozenset(tuple(map(str, form)) for form in settings["forms"])
            mask, length, spells = str(settings["mask"]), int(settings["length"]), bool(settings["spells"])
            PathPattern(mask)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SimonidesError(f"{folder / _SETTINGS} is not whole: {error}; train again.") from None
        try:
            tensors = load_file(folder / _WEIGHTS)
            # before anything is made of these sizes
            if tuple(tensors["trunk.positions"].shape) != (length, config.d):
                raise KeyError(f"positions of another shape than {length} x {config.d}")
            model = NumberModel(_sizes(config, len(vocabulary.words), length), torch.Generator())
            model.load_state_dict(tensors)
            check_finite(**{name.replace(".", " "): tensor for name, tensor in tensors.items()})
        except (SafetensorError, OSError, RuntimeError, KeyError) as error:
            line = (str(error) or type(error).__name__).splitlines()[0]
            raise SimonidesError(f"{folder / _WEIGHTS} does not belong to {_SETTINGS}: {line}") from None
        return cls(
            config, mask, model.to(chosen_device(device)).eval(), vocabulary, scales, margins, forms, spells
        )


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)


def _in_bytes(sequences: NumberSequences) -> Bool[Tensor, "n S"]:
    """Which symbols are bytes, for want of a word."""
    return (sequences.symbols >= len(SPECIAL)) & (sequences.symbols < len(SPECIAL) + 256)


def _spelled_part(symbols: Sequence[int]) -> str:
    """The first part that is written in bytes; empty where there is none."""
    found = bytearray()
    for symbol in symbols:
        byte = symbol - len(SPECIAL)
        if 0 <= byte < 256:
            found.append(byte)
        elif found:
            break
    return found.decode("utf-8", "replace")


def _sizes(config: PredictorConfig, words: int, length: int) -> NumberModelConfig:
    encoding = make_encoding(config.encoding)
    return model_config(encoding, words, length, d=config.d, layers=config.layers, heads=config.heads)


def fit_predictor(
    documents: Sequence[Document],
    mask: str,
    config: PredictorConfig | None = None,
    device: str = "auto",
    progress: bool = False,
    source: str = "the documents",
) -> Fitted:
    """Train on eight of ten documents, make intervals by the ninth and tell errors of the tenth.

    Intervals are split-conformal: the model's own, or its value, widened by the quantile of the errors of the ninth
    (Vovk, Gammerman & Shafer 2005; for quantiles Romano, Patterson & Candes 2019). Of 90 % of documents as those they
    cover all numbers of a key.

    Arguments:
        documents: what JSON can say, at least 20 in which all numbers asked for are there.
        mask: the path of what is asked for, such as "price" or "data[*].x".
        config: how.
        device: as torch names it, or "auto".
        progress: whether a bar shows the loss.
        source: what documents are called in messages.

    Raises:
        SimonidesError: when there are too few, or one has nothing at the path.
        DivergedTraining: when the loss is no longer finite.
    """
    every = prepare(documents, mask, source)
    return _fitted(every, mask, config or PredictorConfig(), device, progress, source)


def _fitted(
    every: Prepared, mask: str, config: PredictorConfig, device: str, progress: bool, source: str
) -> Fitted:
    chosen = chosen_device(device)
    whole = every.complete
    if len(whole) < _FEWEST:
        raise SimonidesError(
            f"{source} has {len(whole)} documents with all numbers asked for; training needs {_FEWEST}."
        )
    generator = torch.Generator().manual_seed(config.seed)
    order = [whole[place] for place in torch.randperm(len(whole), generator=generator).tolist()]
    tenth = max(len(order) // 10, 1)
    test, calibration, train = every[order[:tenth]], every[order[tenth : 2 * tenth]], every[order[2 * tenth :]]
    vocabulary = Vocabulary.learn(train.texts)
    scales = train.scales()
    test, calibration = (one[one.with_keys(scales)] for one in (test, calibration))
    if not len(test) or not len(calibration):
        raise SimonidesError(
            f"{source}: nearly every document has a number of a key of its own; give documents that share their keys."
        )
    sequences, asked = train.sequences(vocabulary, scales)
    encoding = make_encoding(config.encoding)
    others = [one.sequences(vocabulary, scales)[0] for one in (test, calibration)]
    tokens = max(encode(own, encoding).tokens.shape[1] for own in (sequences, *others))
    sizes = _sizes(config, len(vocabulary.words), tokens)
    training = NumberTraining(
        steps=config.steps,
        batch=config.batch,
        rate=config.rate,
        weight_decay=0.01,
        every=max(config.steps // 20, 1),
    )
    begin = time.perf_counter()
    trained = train_numbers(sequences, encoding, sizes, [generator], training, asked, chosen, progress=progress)
    seconds = time.perf_counter() - begin
    spells = bool(_in_bytes(sequences).any())
    predictor = NumberPredictor(config, mask, trained.models[0], vocabulary, scales, {}, train.forms, spells)
    predictor.margins = _margins(predictor, calibration)
    filled = predictor.fill(test)
    return Fitted(
        predictor=predictor,
        qualities=_qualities(predictor, filled, train, test),
        filled=tuple(filled),
        documents=(len(train), len(calibration), len(test)),
        left_out=len(every) - len(train) - len(calibration) - len(test),
        tokens=tokens,
        seconds=seconds,
        history=trained.history,
        told={
            reason: count
            for reason, count in encoding.told(sequences.values[sequences.is_number]).items()
            if count
        },
    )


def _margins(predictor: NumberPredictor, calibration: Prepared) -> dict[str, float | None]:
    """By how much scaled intervals are widened, for each key; None where there are too few documents.

    Of a document the largest miss of a key counts: its numbers are not independent, its neighbours are.
    """
    sequences, asked = calibration.sequences(predictor.vocabulary, predictor.scales)
    values, low, high = predictor._read(sequences, asked)
    misses: dict[str, dict[int, float]] = {}
    for row in range(len(calibration)):
        for column, place in enumerate(np.flatnonzero(calibration.asked[row])):
            key = key_of(calibration.paths[row][place])
            scale = predictor._scale(calibration.paths[row][place])
            truth = (calibration.numbers[row][place] - scale.centre) / scale.spread
            miss = max(float(low[row, column]) - truth, truth - float(high[row, column]))
            own = misses.setdefault(key, {})
            own[row] = max(own.get(row, -np.inf), np.inf if np.isnan(float(values[row, column])) else miss)
    margins: dict[str, float | None] = {}
    for key, by_document in misses.items():
        rank = int(np.ceil((len(by_document) + 1) * LEVEL))
        margin = sorted(by_document.values())[rank - 1] if rank <= len(by_document) else np.inf
        margins[key] = float(margin) if np.isfinite(margin) else None
    return margins


def _qualities(
    predictor: NumberPredictor, filled: Sequence[Filled], train: Prepared, test: Prepared
) -> tuple[KeyQuality, ...]:
    sequences, asked = test.sequences(predictor.vocabulary, predictor.scales)
    free = predictor._read(sequences, asked, constrained=False)[0]
    free = free[torch.arange(free.shape[1]) < asked.sum(1, keepdim=True)]
    linear = _linear_errors(train, test)
    one_form = len(set(train.paths)) == 1
    asked_of: dict[str, list[float]] = {}
    for paths, numbers, marked in zip(train.paths, train.numbers, train.asked, strict=True):
        for place in np.flatnonzero(marked):
            asked_of.setdefault(key_of(paths[place]), []).append(float(numbers[place]))
    train_mean = {key: float(np.mean(values)) for key, values in asked_of.items()}
    found = []
    for key in dict.fromkeys(key_of(one.path) for one in filled):
        own = [one for one in filled if key_of(one.path) == key]
        said = torch.tensor([float(free[n]) for n, one in enumerate(filled) if key_of(one.path) == key])
        truth = np.array([one.given for one in own], dtype=float)
        errors = np.array([one.value for one in own]) - truth
        varies = np.ptp(truth) > 1e-12 * np.abs(truth).max()
        means = np.array([predictor._scale(one.path).centre for one in own]) if one_form else train_mean[key]
        error = float(np.sqrt(np.nanmean(errors**2)))
        inside = [
            one.low <= t <= one.high
            for one, t in zip(own, truth, strict=True)
            if one.low is not None and one.high is not None
        ]
        found.append(
            KeyQuality(
                key=key,
                numbers=len(own),
                error=error,
                constant=float(np.sqrt(np.mean((truth - means) ** 2))),
                linear=linear.get(key),
                explained=1 - (error / float(np.std(truth))) ** 2 if varies else None,
                covered=float(np.mean(inside)) if inside else None,
                invalid=float(said.isnan().double().mean()),
            )
        )
    return tuple(found)


def _linear_errors(train: Prepared, test: Prepared) -> dict[str, float]:
    """Root mean square errors of least squares in the other numbers, where all documents have one form."""
    forms = {
        (paths, tuple(asked.tolist()))
        for one in (train, test)
        for paths, asked in zip(one.paths, one.asked, strict=True)
    }
    if len(forms) > 1:
        return {}
    paths, asked = next(iter(forms))
    marked = np.array(asked)
    fitted, read = (np.stack(one.numbers) for one in (train, test))
    centre, spread = fitted.mean(0), np.where(fitted.std(0) > 0, fitted.std(0), 1.0)

    def design(numbers: np.ndarray) -> np.ndarray:
        scaled = ((numbers - centre) / spread)[:, ~marked]
        return np.concatenate([scaled, np.ones((len(scaled), 1))], 1)

    weights = np.linalg.lstsq(design(fitted), fitted[:, marked], rcond=None)[0]
    misses = design(read) @ weights - read[:, marked]
    keys = [key_of(path) for path, own in zip(paths, asked, strict=True) if own]
    return {
        key: float(np.sqrt(np.mean(misses[:, [own == key for own in keys]] ** 2))) for key in dict.fromkeys(keys)
    }


def compare_encodings(
    documents: Sequence[Document],
    mask: str,
    encodings: Sequence[str],
    config: PredictorConfig | None = None,
    device: str = "auto",
    progress: bool = False,
    source: str = "the documents",
) -> list[Fitted]:
    """The same training by several encodings at equal compute: steps in inverse proportion to the tokens.

    Arguments:
        documents, mask, device, progress, source: as of `fit_predictor`.
        encodings: their names; the first has the configured steps.
        config: how, but for the encoding.

    Raises:
        SimonidesError: as `fit_predictor`, and when an encoding is named twice.
    """
    config = config or PredictorConfig()
    if len(set(encodings)) < len(encodings) or not encodings:
        raise SimonidesError(f"encodings are {', '.join(encodings) or 'none'}; name each once.")
    for name in encodings:
        make_encoding(name)
    found: list[Fitted] = []
    every = prepare(documents, mask, source)
    sequences = Vocabulary.learn(every.texts).sequences(every.texts)
    tokens = {name: encode(sequences, make_encoding(name)).tokens.shape[1] for name in encodings}
    for name in encodings:
        steps = max(1, round(config.steps * tokens[encodings[0]] / tokens[name]))
        own = replace(config, encoding=name, steps=steps)
        found.append(_fitted(every, mask, own, device, progress, source))
    return found


def quality_rows(fitted: Fitted) -> list[dict[str, Any]]:
    """The qualities of each key, as rows of a table."""
    return [{"encoding": fitted.predictor.config.encoding, **asdict(one)} for one in fitted.qualities]
