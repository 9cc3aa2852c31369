from .base.errors import SimonidesError as SimonidesError
from .memories.linear import LinearMemory as LinearMemory
from .memories.low_rank import LowRankMemory as LowRankMemory
from .papers.facts.fact_memory import FactMemory as FactMemory
from .tasks.facts import read_facts as read_facts

__version__: str
