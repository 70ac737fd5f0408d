"""What Hypothesis draws: few examples with every run of the tests, more by `STEXPLAIN_EXAMPLES`.

Without it they are the same in every run. For that, tests draw whole numbers between -99 and 99 alone and make all else
of them: Hypothesis also takes wider whole numbers, decimals and texts that it finds in the code of the package, so that
a line elsewhere or a module loaded before would change the examples. `test_examples.py` holds this.
"""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("STEXPLAIN_EXAMPLES", "0"))

# Of every test by Hypothesis: `tests/conftest.py` loads it.
everywhere = settings(
    max_examples=EXAMPLES or 100,
    # How long a draw or a test takes is the machine's.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not EXAMPLES,
    database=None,
)

# Of what is slow. Cases are small as they are: a failing one is made smaller where time is taken for many.
drawn = settings(
    everywhere,
    max_examples=EXAMPLES or 3,
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
)

# Two small numbers: one seed of numpy's generator.
seeds = st.lists(st.integers(0, 99), min_size=2, max_size=2)
