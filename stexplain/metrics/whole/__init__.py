"""Class importance, masking, effect and explanations over whole datasets: constant memory, resumable, on many machines.

Clips are worked through in parts of some hundreds. Only numbers per clip and sums per class are kept, so memory does
not grow with the number of clips. With `out`, the result of every part is a file of that folder: a call that was
killed goes on after the last part that was finished, and ends with the same numbers, to the bit. With `workers` or
``engine="ray"``, parts are computed by several processes or machines, again to the same bit.
"""

from stexplain.metrics.whole.calls import class_importance as class_importance
from stexplain.metrics.whole.calls import effect as effect
from stexplain.metrics.whole.calls import explanations as explanations
from stexplain.metrics.whole.calls import masking_curve as masking_curve
from stexplain.metrics.whole.results import SavedExplanations as SavedExplanations
from stexplain.metrics.whole.results import WholeEffect as WholeEffect
