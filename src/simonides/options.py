"""The commands' options: one frozen dataclass a command, whose docstring is its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from tyro.conf import FlagConversionOff, Positional, arg, subcommand

Scale = Literal["smoke", "desk", "paper"]
_STORE = Path("simonides-store")
Target = Annotated[
    Positional[str],
    arg(
        metavar="CLAIM|PAPER|talk|all|FILE",
        help="What: a claim such as memories/linear-capacity, a paper such as memories, talk (ten claims that "
        "show it all), all, the path of a claim file, or several with commas between.",
    ),
]
AScale = Annotated[Scale, arg(help="How large: smoke takes seconds, desk minutes, paper a cluster.")]
AStore = Annotated[Path, arg(metavar="DIR", help="Folder of the results.")]
ACheckpoint = Annotated[Positional[Path], arg(metavar="CHECKPOINT", help="Folder or GGUF file.")]
Json = Annotated[bool, arg(help="Print JSON instead of text.")]


@dataclass(frozen=True, kw_only=True)
class List:
    """List all claims, a line each.

    Example: simonides list
    """

    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Show:
    """Show one claim: question, source, sizes, rules.

    Example: simonides show memories/linear-capacity
    """

    target: Target


@dataclass(frozen=True, kw_only=True)
class Run:
    """Measure what a store does not hold yet, and judge it.

    Broken off at any moment, the same command goes on where it stopped. Any parameter of the claim can be set
    by its own name for exploration, which never moves a verdict. On a cluster the command is the same, with
    --engine ray or slurm.

    Example: simonides run memories/linear-capacity --scale smoke

    Example: simonides run memories/linear-capacity --d 96

    Example: simonides run all --scale paper --engine slurm --workers 100 --minutes 120 --memory 8
    """

    target: Target
    scale: AScale = "desk"
    store: AStore = _STORE
    engine: Annotated[
        Literal["local", "ray", "slurm"],
        arg(help="Where: in processes of this machine, on a Ray cluster, or as an array job of SLURM."),
    ] = "local"
    workers: Annotated[
        int,
        arg(
            metavar="N",
            help="How many stacks at once: processes of one thread each, Ray tasks, or tasks of "
            "the array. 0: all cores, all the cluster takes, up to 32.",
        ),
    ] = 0
    address: Annotated[
        str | None, arg(metavar="HOST:PORT", help="ray: the cluster; by default the one found on this machine.")
    ] = None
    partition: Annotated[str | None, arg(help="slurm: where to submit; by default the cluster's choice.")] = None
    minutes: Annotated[
        int | None, arg(metavar="N", help="slurm: time limit of a task, 60 unless given; then it is requeued.")
    ] = None
    cpus: Annotated[float | None, arg(metavar="N", help="ray, slurm: cores set aside for a task; 1.")] = None
    gpus: Annotated[float | None, arg(metavar="N", help="ray, slurm: GPUs set aside for a task; 0.")] = None
    memory: Annotated[float | None, arg(metavar="GIB", help="ray, slurm: memory set aside for a task.")] = None
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Status:
    """Count the runs that a store holds, lacks, or found failed, without reading them.

    Example: simonides status memories --scale desk
    """

    target: Target = "all"
    scale: AScale = "desk"
    store: AStore = _STORE
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Judge what a store holds; exits with 1 when a claim fails.

    Example: simonides verdict memories --json
    """

    target: Target = "all"
    scale: AScale = "desk"
    store: AStore = _STORE
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write offline pages with verdicts, figures and tables; prints the index's path.

    The index lists what this call was asked for: one of another target or scale goes to a folder of its own.

    Example: simonides report memories --out pages
    """

    target: Target = "all"
    scale: AScale = "desk"
    store: AStore = _STORE
    out: Annotated[Path | None, arg(metavar="DIR", help="Folder of the pages; by default STORE/report.")] = None


@dataclass(frozen=True, kw_only=True)
class Cite:
    """Print the BibTeX of what a claim or paper rests on.

    Example: simonides cite memories/linear-capacity
    """

    target: Target


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Store a table of facts in one d x d matrix, or in a trained transformer, and ask it.

    The table is country-capital, country-continent, country-currency, capital-country, element-symbol, some of
    them joined by a plus, or your own CSV or TSV of two columns (subject, attribute) or three (subject, relation,
    attribute; ask for "subject, relation").

    Example: simonides recall country-capital France Japan --d 64

    Or: simonides recall country-capital+country-currency "France, capital" --model transformer
    """

    table: Annotated[Positional[str], arg(metavar="TABLE|FILE", help="Which facts.")] = "country-capital"
    keys: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="KEY ...", help="What to ask, one or several; by default a few keys."),
    ] = ()
    model: Annotated[
        Literal["matrix", "transformer"],
        arg(help="What keeps them: a d x d matrix, or a one-layer transformer of 6 d^2 weights, trained now."),
    ] = "matrix"
    d: Annotated[int, arg(help="Width of the embeddings: the matrix has d x d numbers.")] = 64
    seed: Annotated[int, arg(help="Seed of the random embeddings.")] = 0
    embedding: Annotated[Literal["sphere", "gaussian", "orthonormal", "one_hot"], arg(help="Their kind.")] = (
        "sphere"
    )
    rule: Annotated[Literal["outer_products", "pseudo_inverse"], arg(help="How the matrix is written.")] = (
        "outer_products"
    )
    steps: Annotated[int, arg(help="Of the transformer's training, at most.")] = 1000
    top: Annotated[int, arg(help="How many answers to show.")] = 3
    delimiter: Annotated[
        str | None, arg(metavar="CHARACTER", help="Between columns; by default a tab for .tsv, else a comma.")
    ] = None
    header: Annotated[
        FlagConversionOff[bool | None], arg(help="Whether the CSV's first row is a header; None guesses.")
    ] = None
    repeats: Annotated[
        Literal["refuse", "first"],
        arg(help="What to do with a key that comes again: refuse the CSV, or keep the first."),
    ] = "refuse"
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """Train a small language model on a text, character by character, and keep its steps as checkpoints.

    The folder then holds step-N folders in the layout of GPT-NeoX, for inspect, truncate and any other library. A
    training that was broken off goes on.

    Example: simonides pretrain small --steps 3000 --repeated 0.7

    Example: simonides inspect small
    """

    out: Annotated[Positional[Path], arg(metavar="DIR", help="Folder of the steps.")]
    text: Annotated[Path | None, arg(metavar="FILE", help="UTF-8 text; by default Python's manual.")] = None
    d: Annotated[int, arg(help="Width.")] = 128
    layers: Annotated[int, arg(help="Attention and feed-forward.")] = 2
    heads: Annotated[int, arg(help="Of each layer.")] = 4
    length: Annotated[int, arg(help="Characters of a piece.")] = 64
    batch: Annotated[int, arg(help="Pieces a step.")] = 32
    steps: Annotated[int, arg(help="Updates.")] = 2000
    every: Annotated[int, arg(help="Steps between checkpoints.")] = 200
    rate: Annotated[float, arg(help="Learning rate of AdamW.")] = 4e-3
    repeated: Annotated[
        float, arg(help="Share of the pieces that is a passage read again and again, which calls for induction.")
    ] = 0.0
    seed: Annotated[int, arg(help="Draws weights and pieces.")] = 0


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Read every head and hidden unit of a checkpoint, and write a page with maps of layers by heads.

    The checkpoint is a folder (config.json and safetensors: GPT-NeoX and Pythia, GPT-2, GPT-J, Llama and SmolLM,
    BERT), a GGUF file of Llama's kind, or a folder of step-N folders: then the training is followed.

    Example: simonides inspect pythia-160m
    """

    checkpoint: ACheckpoint
    out: Annotated[
        Path | None, arg(metavar="DIR", help="Folder of the page and tables; by default inspection-NAME.")
    ] = None
    tokens: Annotated[int, arg(help="How many tokens each head is asked to copy, drawn at random.")] = 1024
    sequences: Annotated[int, arg(help="How many sequences of random tokens are read twice.")] = 16
    length: Annotated[int, arg(help="Tokens of each, read twice; at most half of the model's own.")] = 50
    text: Annotated[
        Path | None, arg(metavar="FILE", help="Read passages of this text twice in place of random tokens.")
    ] = None
    seed: Annotated[int, arg(help="Draws tokens and passages.")] = 0
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Truncate:
    """Cut matrices of a checkpoint to low rank, and see what it answers and how a text surprises it then.

    With --search all matched layers, matrices and shares are tried one at a time: the best on a fifth of the
    questions is reported on the rest, beside a control. Without, all matched matrices are cut together.

    Example: simonides truncate pythia-160m --layers 8-11 --matrix W_in --share 0.1 --save checkpoint --out cut

    Example: simonides truncate pythia-160m --search --questions country-capital --layers 8-11
    """

    checkpoint: ACheckpoint
    layers: Annotated[str, arg(metavar="L", help="Which, from 0: all, 3, 0-4 or 3,8-11.")] = "all"
    matrix: Annotated[
        str,
        arg(metavar="NAME", help="W_Q W_K W_V W_O W_in W_gate W_out, patterns, attention, feed-forward, all."),
    ] = "W_in"
    rank: Annotated[int | None, arg(metavar="R", help="Directions that are kept.")] = None
    share: Annotated[float | None, arg(metavar="RHO", help="Share of the rank that is kept; 0 removes.")] = None
    energy: Annotated[float | None, arg(metavar="E", help="Share of the squared norm that is kept.")] = None
    svd: Annotated[
        Literal["auto", "exact", "random"],
        arg(help="random: leading directions alone, with measured error; auto: for sides above 4096."),
    ] = "auto"
    search: Annotated[bool, arg(help="Try every layer, matrix and share alone.")] = False
    shares: Annotated[str, arg(metavar="RHO,..", help="search: shares of the rank.")] = "0,0.01,0.05,0.1,0.25,0.5"
    compose: Annotated[bool, arg(help="search: the best of each layer together, from the last layer.")] = False
    questions: Annotated[
        str | None,
        arg(
            metavar="TABLE|FILE", help="country-capital and the like, or a CSV, TSV or JSONL of prompt and answer."
        ),
    ] = None
    templates: Annotated[
        Path | None,
        arg(metavar="FILE", help="For questions of subject, relation, attribute: relation and pattern."),
    ] = None
    space: Annotated[bool, arg(help="Put a space between prompt and answer.")] = True
    most: Annotated[int, arg(metavar="N", help="Questions asked at most, drawn at random.")] = 400
    generic: Annotated[str, arg(metavar="WORD", help="A generic word to watch beside the answers.")] = "the"
    text: Annotated[
        Path | None, arg(metavar="FILE", help="Control text of the perplexity; by default Python's manual.")
    ] = None
    text_tokens: Annotated[int, arg(metavar="N", help="How much of it is read.")] = 2048
    controls: Annotated[int, arg(metavar="N", help="Times that as many directions are removed at random.")] = 3
    reference: Annotated[bool, arg(help="Compare the untouched model with transformers, if installed.")] = True
    save: Annotated[
        Literal["none", "checkpoint", "factors"],
        arg(help="Write what was cut: a whole checkpoint, or pairs of narrow matrices."),
    ] = "none"
    out: Annotated[
        Path | None, arg(metavar="DIR", help="Folder of what is written; by default truncation-NAME.")
    ] = None
    seed: Annotated[int, arg(help="Draws questions, split and controls.")] = 0
    json: Json = False


@dataclass(frozen=True, kw_only=True)
class Explore:
    """Open a page on which one matrix is filled with facts: move d, N and the rest, and see what it recalls.

    Served on 127.0.0.1 alone, or written as one file that needs nothing else.

    Example: simonides explore --out explore.html
    """

    port: Annotated[int, arg(help="0 takes any that is free.")] = 0
    browser: Annotated[bool, arg(help="Open it in the browser.")] = True
    out: Annotated[Path | None, arg(metavar="FILE", help="Write the page there in place of serving it.")] = None


Command = (
    Annotated[List, subcommand("list")]
    | Annotated[Show, subcommand("show")]
    | Annotated[Run, subcommand("run")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Verdict, subcommand("verdict")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Cite, subcommand("cite")]
    | Annotated[Recall, subcommand("recall")]
    | Annotated[Pretrain, subcommand("pretrain")]
    | Annotated[Inspect, subcommand("inspect")]
    | Annotated[Truncate, subcommand("truncate")]
    | Annotated[Explore, subcommand("explore")]
)

NAMES = tuple(get_args(command)[0].__name__.lower() for command in get_args(Command))
