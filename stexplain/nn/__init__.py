"""Networks over a graph and time: layers, one file per architecture and its block, and models on disk."""

from types import ModuleType as _Module

from stexplain.nn.checkpoint import load_model as load_model
from stexplain.nn.checkpoint import load_stgcn_checkpoint as load_stgcn_checkpoint
from stexplain.nn.checkpoint import save_model as save_model
from stexplain.nn.fusion import Fusion as Fusion
from stexplain.nn.stgcn import STGCN as STGCN
from stexplain.nn.traffic import STGCNForecaster as STGCNForecaster
from stexplain.nn.traffic import without_message_passing as without_message_passing


def __dir__() -> list[str]:
    # Modules of the package stand beside these names once they are imported; nobody looks for them here.
    return sorted(name for name, value in globals().items() if name[0] != "_" and not isinstance(value, _Module))
