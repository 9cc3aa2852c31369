from .base.errors import SimonidesError as SimonidesError
from .checkpoints.opening import open_checkpoint as open_checkpoint
from .data.fact_table import read_facts as read_facts
from .lab.claim import Claim as Claim
from .lab.running import run as run
from .memories.linear import LinearMemory as LinearMemory
from .memories.low_rank import LowRankMemory as LowRankMemory
from .memories.mlp import MLPMemory as MLPMemory
from .nn.transformer import Transformer as Transformer
from .nn.transformer_config import TransformerConfig as TransformerConfig
from .papers.counting.bias_report import bias_report as bias_report
from .papers.counting.strings import ContextualCounting as ContextualCounting
from .papers.facts.fact_memory import FactMemory as FactMemory
from .papers.facts.trained_facts import TrainedFacts as TrainedFacts
from .papers.imbalance.corpus import corpus_report as corpus_report
from .papers.imbalance.meter import FrequencyMeter as FrequencyMeter
from .papers.multi_index.estimator import MultiIndexRegressor as MultiIndexRegressor
from .papers.numbers.adapter import attach_xval as attach_xval
from .papers.numbers.predictor import fit_predictor as fit_predictor
from .papers.teleportation.teleporting import teleport as teleport
from .papers.teleportation.wrapper import Teleported as Teleported
from .probes.bench import make_bench as make_bench
from .probes.inspection import inspect as inspect
from .probes.truncating import truncate as truncate
from .training.fitting import fit as fit

__version__: str
