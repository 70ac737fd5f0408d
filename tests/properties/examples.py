"""How many examples are tried: few with every run of the tests, more by `STEXPLAIN_EXAMPLES`."""

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("STEXPLAIN_EXAMPLES", "0"))

drawn = settings(
    max_examples=EXAMPLES or 3,
    deadline=None,
    # The same ones in every run, unless more are asked for.
    derandomize=not EXAMPLES,
    database=None,
    # Cases are small as they are: a failing one is made smaller where time is taken for many.
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
