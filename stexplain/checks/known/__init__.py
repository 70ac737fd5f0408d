"""Networks whose function is written down: which positions their output depends on is known exactly, and in which sign.

One file a kind. A kind has a function `make` from a graph, a number of samples and a seed to a `KnownModel`, and is
found by being there.
"""

from stexplain.checks.known.catalogue import KNOWN_GRAPHS as KNOWN_GRAPHS
from stexplain.checks.known.catalogue import known_models as known_models
from stexplain.checks.known.limits import ELEMENTARY as ELEMENTARY
from stexplain.checks.known.limits import SEEN as SEEN
from stexplain.checks.known.limits import limits_of as limits_of
from stexplain.checks.known.network import KnownModel as KnownModel
from stexplain.checks.known.network import KnownNetwork as KnownNetwork
from stexplain.checks.known.table import score_table as score_table
