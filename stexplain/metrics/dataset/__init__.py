"""Class importance, masking, effect and explanations over whole datasets: in parts, resumable, on many machines.

Clips are worked through in parts of some hundreds. Only numbers per clip and sums per class are kept. PyTorch itself
keeps what it compiled for each length of a batch, so memory still grows at first; docs/machines.md says how far. With
`out`, the result of every part is a file of that folder: a call that was killed resumes after the last finished part,
and ends with the same numbers, to the bit. With `workers` or ``engine="ray"``, parts are computed by several processes
or machines, again to the same bit on machines of one kind.
"""

from stexplain.metrics.dataset.calls import class_importance as class_importance
from stexplain.metrics.dataset.calls import effect as effect
from stexplain.metrics.dataset.calls import explanations as explanations
from stexplain.metrics.dataset.calls import masking_curve as masking_curve
from stexplain.metrics.dataset.results import DatasetEffect as DatasetEffect
from stexplain.metrics.dataset.results import SavedExplanations as SavedExplanations
