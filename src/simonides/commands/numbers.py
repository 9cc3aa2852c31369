"""`numbers`: a model that fills in numbers of one's own documents; how encodings of numbers compare on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import OmitSubcommandPrefixes, Positional, arg, subcommand

from simonides.base import SimonidesError, check_free, check_output_folder, say, say_json, tell
from simonides.commands.shared import Json, Quiet, listed_names

if TYPE_CHECKING:
    from simonides.papers.numbers.predictor import Filled, Fitted, PredictorConfig

_File = Annotated[
    Positional[Path], arg(metavar="FILE", help="JSON Lines, JSON, Parquet, CSV or TSV: a document a row.")
]
_Mask = Annotated[
    str, arg(metavar="PATH", help='What is asked for: price, data[*].x, "my key"; [*] is any place, * any key.')
]
_Steps = Annotated[int, arg(help="Updates of the training.")]
_Width = Annotated[int, arg(metavar="D", help="Width of the transformer, of 4 heads.")]
_Layers = Annotated[int, arg(help="Of the transformer.")]
_Rate = Annotated[float, arg(help="The highest learning rate.")]
_Seed = Annotated[int, arg(help="Of the split, the weights and the batches.")]
_Device = Annotated[str, arg(help="auto, cpu, cuda, ...")]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model on documents, and tell its errors on those held out.

    Example: simonides numbers train houses.csv --mask price --out houses
    """

    file: _File
    mask: _Mask
    out: Annotated[Path, arg(metavar="DIR", help="A new folder for the model.")]
    encoding: Annotated[
        str,
        arg(metavar="NAME", help="xval, xval-log, xval-quantiles, fone, bits, p10, p10-ntl, p1000, b1999, fp15."),
    ] = "xval"
    steps: _Steps = 1000
    d: _Width = 64
    layers: _Layers = 2
    rate: _Rate = 2e-3
    seed: _Seed = 0
    device: _Device = "auto"
    quiet: Quiet = False
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Fill in numbers with a trained model; null, or whatever stands there, is asked for.

    Example: simonides numbers predict houses new.jsonl --out filled.jsonl
    """

    model: Annotated[Positional[Path], arg(metavar="DIR", help="A folder that train has written.")]
    file: _File
    out: Annotated[
        Path | None,
        arg(metavar="FILE", help="Write .jsonl or .parquet, a row for each number, in place of printing."),
    ] = None
    device: _Device = "auto"
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Train by several encodings at equal compute, and tell their errors on the same documents held out.

    Example: simonides numbers compare houses.csv --mask price --encodings xval,p10,fone --out page
    """

    file: _File
    mask: _Mask
    encodings: Annotated[str, arg(metavar="NAME,..", help="The first one's steps are those given.")] = (
        "xval,p10,p1000"
    )
    steps: _Steps = 1000
    d: _Width = 64
    layers: _Layers = 2
    rate: _Rate = 2e-3
    seed: _Seed = 0
    out: Annotated[Path | None, arg(metavar="DIR", help="Write a page, its figures and tables here.")] = None
    device: _Device = "auto"
    quiet: Quiet = False
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Fill in numbers of documents with a transformer, and compare ways of encoding numbers.

    Example: simonides numbers train houses.csv --mask price --out houses
    """

    action: OmitSubcommandPrefixes[
        Annotated[Train, subcommand("train")]
        | Annotated[Predict, subcommand("predict")]
        | Annotated[Compare, subcommand("compare")]
    ]


def execute(options: Numbers) -> int:
    """Read, train or predict, say."""
    action = options.action
    if isinstance(action, Train):
        return _train(action)
    return _predict(action) if isinstance(action, Predict) else _compare(action)


def _train(options: Train) -> int:
    from simonides.data import read_documents
    from simonides.papers.numbers.predictor import fit_predictor, quality_rows

    check_free(options.out)
    config = _config(options, options.encoding)
    documents = read_documents(options.file)
    fitted = fit_predictor(documents, options.mask, config, options.device, not options.quiet, options.file.name)
    fitted.predictor.save(options.out)
    _tell_what_changed(fitted)
    if options.json:
        say_json({"folder": str(options.out), "documents": fitted.documents, "keys": quality_rows(fitted)})
        return 0
    _say_quality(fitted)
    say(f"model: {options.out.resolve()}")
    return 0


def _predict(options: Predict) -> int:
    from dataclasses import asdict

    from simonides.data import check_document_name, read_documents, write_documents
    from simonides.papers.numbers.predictor import NumberPredictor

    if options.out is not None:
        if options.out.exists():
            raise SimonidesError(f"{options.out} exists already; give a new file.")
        check_document_name(options.out)
    predictor = NumberPredictor.load(options.model, options.device)
    filled = predictor.predict(read_documents(options.file), options.file.name)
    if strange := len({one.row for one in filled if one.outside}):
        tell(
            f"{strange} documents are unlike those of the training: a number lies outside its range there, or keys are "
            "others; their intervals hold nothing"
        )
    if ill := sum(one.value != one.value for one in filled):
        tell(f"{ill} of {len(filled)} answers are no numbers")
    rows = [{**asdict(one), "value": None if one.value != one.value else one.value} for one in filled]
    if options.out is not None:
        write_documents(options.out, rows)
        if not options.json:
            say(f"{len(rows)} numbers of {options.file.name}: {options.out.resolve()}")
    elif not options.json:
        for one in filled:
            say(f"row {one.row}  {one.path} = {_told(one)}")
    if options.json:
        say_json({"numbers": rows})
    return 0


def _compare(options: Compare) -> int:
    from simonides.data import read_documents
    from simonides.papers.numbers.predictor import compare_encodings, quality_rows

    if options.out is not None:
        check_output_folder(options.out)
    names = listed_names(options.encodings)
    if not names:
        raise SimonidesError(f"--encodings {options.encodings!r} names none; give names with commas between.")
    config = _config(options, names[0])
    documents = read_documents(options.file)
    found = compare_encodings(
        documents, options.mask, names, config, options.device, not options.quiet, options.file.name
    )
    if options.json:
        say_json({"file": options.file.name, "keys": [row for one in found for row in quality_rows(one)]})
    for fitted in found:
        _tell_what_changed(fitted)
        if not options.json:
            _say_quality(fitted)
    if options.out is not None:
        from simonides.papers.numbers.numbers_page import write_comparison

        index = write_comparison(options.out, options.file.name, options.mask, found)
        if not options.json:
            say(f"page: {index.resolve()}")
    return 0


def _config(options: Train | Compare, encoding: str) -> "PredictorConfig":
    from simonides.papers.numbers.predictor import PredictorConfig

    return PredictorConfig(
        encoding=encoding,
        d=options.d,
        layers=options.layers,
        steps=options.steps,
        rate=options.rate,
        seed=options.seed,
    )


def _tell_what_changed(fitted: "Fitted") -> None:
    name = fitted.predictor.config.encoding
    if fitted.left_out:
        tell(
            f"{fitted.left_out} documents are left out: a number asked for is null, or a key is in no document of the "
            "training"
        )
    for reason, count in fitted.told.items():
        tell(
            f"{name}: {count} numbers, scaled by mean and standard deviation of their key, are {reason}: they are "
            "changed, or told apart badly"
        )


def _say_quality(fitted: "Fitted") -> None:
    config, (train, calibration, test) = fitted.predictor.config, fitted.documents
    say(
        f"{config.encoding}: {config.steps:,} steps on {train:,} documents of at most {fitted.tokens} tokens in "
        f"{fitted.seconds:.0f} s; intervals from {calibration:,}, errors on {test:,}"
    )
    for one in fitted.qualities:
        parts = [f"root mean square error {one.error:.4g}", f"the training's mean {one.constant:.4g}"]
        if one.linear is not None:
            parts.append(f"least squares {one.linear:.4g}")
        if one.explained is not None:
            parts.append(f"R^2 {one.explained:.4f}")
        if one.covered is not None:
            parts.append(f"{100 * one.covered:.0f} % in their 90 % intervals")
        if one.invalid:
            parts.append(f"{100 * one.invalid:.1f} % ill-formed if not ruled out")
        say(f"  {one.key} ({one.numbers} numbers): {', '.join(parts)}")


def _told(one: "Filled") -> str:
    if one.value != one.value:
        return "no number"
    interval = "" if one.low is None or one.high is None else f" [{one.low:.6g}, {one.high:.6g}]"
    given = "" if one.given is None else f", given {one.given:.6g}"
    return f"{one.value:.6g}{interval}{given}" + (", outside of the training" if one.outside else "")
