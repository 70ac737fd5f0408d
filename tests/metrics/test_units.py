"""In which unit importance, scores or values are does not matter: what is a share stays, all else is in that unit.

By powers of two, which round nothing, far beyond what any threshold of rounding may be.
"""

import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.intervals.bootstrap import interval, ratio_interval
from stexplain.metrics import (
    ClassImportance,
    compare_groups,
    complexity,
    contrastivity,
    deletion_curve,
    effect_agreement,
    faithfulness,
    fidelity,
    localisation,
    masking_curve,
    sign_flip_test,
)
from stexplain.metrics.masking import beta_interval
from stexplain.metrics.truth.agreement import rank_correlation
from stexplain.metrics.truth.effect import Effect
from tests.metrics.small_batches import batch, linear
from tests.metrics.truth.test_agreement import effect_of

RANDOM = np.random.default_rng(0)
COUNT = 12
MAPS, VALID = RANDOM.exponential(size=(COUNT, 1, 6, 4)), np.ones((COUNT, 1, 6), bool)
MAPS[:, :, :2] *= 3
SIDES, LABELS = ["a", "b"] * (COUNT // 2), [row % 2 for row in range(COUNT)]
VALUES, SIZES = RANDOM.exponential(size=COUNT) - 0.5, RANDOM.exponential(size=COUNT)
GROUPS = [row // 2 for row in range(COUNT)]
# Two units of six that are unlike the others.
MOSTLY = 1.7 + 2 * np.isin([*GROUPS, *GROUPS], [1, 4]) * np.arange(2 * COUNT) / COUNT
PSI, TRUTH = RANDOM.exponential(size=(3, 4)), RANDOM.random(MAPS.shape) > 0.7
STEPS, CURVES = np.array([0.0, 0.5, 1.0]), RANDOM.random((3, COUNT)) + 1
MODEL, BATCH = linear(), batch()
CONTRIBUTIONS = MODEL.contributions(BATCH.x).numpy()
SCREEN = (0.0, 1.0, 2.0, 0.5, 3.0, 0.25)
EFFECT: Effect = effect_of([[[10.0, 0.0, 5.0], [4.0, 0.4, 2.0]]])


def importance(values: np.ndarray) -> ClassImportance:
    found = ClassImportance(["throw", "kick"], list("wxyz"))
    # By their names: else what is drawn follows from the values.
    ids = tuple(map(str, range(COUNT)))
    found.update(Explanation(values.astype(np.float32), VALID, ids=ids), LABELS, np.ones(COUNT, bool))
    return found


def groups(unit: float, **options: object) -> np.ndarray:
    return compare_groups(Explanation((unit * MAPS).astype(np.float32), VALID), SIDES, windows=2, **options).to_frame()


P = ["p", "p_corrected"]
ALIKE = {
    "complexity": lambda unit: list(complexity(unit * MAPS).scores.values()),
    "localisation": lambda unit: [list(one.values()) for one in localisation(unit * MAPS, TRUTH).scores.values()],
    "contrastivity": lambda unit: contrastivity(unit * PSI),
    "faithfulness": lambda unit: faithfulness(STEPS, unit * CURVES[:, 0]),
    "fidelity": lambda unit: fidelity(MODEL, BATCH, unit * CONTRIBUTIONS).scores["plus"]["probability"],
    "deletion": lambda unit: deletion_curve(MODEL, BATCH, unit * CONTRIBUTIONS, steps=3).score,
    "masking": lambda unit: masking_curve(MODEL, BATCH, unit * PSI, nodes=2).correct["highlighted"],
    "agreement": lambda unit: list(
        effect_agreement(unit * np.array(SCREEN).reshape(1, 1, 2, 3), EFFECT).scores["regions"].values()
    ),
    "rank correlation": lambda unit: rank_correlation(unit * MAPS[:, 0, 0], MAPS[:, 0, 1], VALID[:, 0, :4] & True),
    "signs": lambda unit: sign_flip_test(unit * VALUES),
    "signs, drawn": lambda unit: sign_flip_test(unit * VALUES, permutations=99),
    "groups": lambda unit: groups(unit)[P],
    "groups, drawn": lambda unit: groups(unit, permutations=99)[P],
    "groups, in pairs": lambda unit: groups(unit, clusters=GROUPS)[P],
    "groups, by shares": lambda unit: groups(unit, share=True).select_dtypes("number"),
    "importance, displayed": lambda unit: importance(unit * MAPS).display(),
    "ratio of both": lambda unit: ratio_interval(unit * VALUES, unit * SIZES),
    "ratio of both, in groups": lambda unit: ratio_interval(unit * VALUES, unit * SIZES, groups=GROUPS),
}
IN_THAT_UNIT = {
    "interval": lambda unit: interval(unit * VALUES),
    "interval, in groups": lambda unit: interval(unit * VALUES, groups=GROUPS),
    "interval, within bounds": lambda unit: interval(unit * VALUES, bounds=(-5 * unit, 9 * unit)),
    "interval of what is mostly alike": lambda unit: interval(
        unit * MOSTLY, groups=[*GROUPS, *GROUPS], bounds=(-5 * unit, 9 * unit)
    ),
    "interval of what is alike": lambda unit: interval(np.full(8, -3.0 * unit)),
    "ratio": lambda unit: ratio_interval(unit * VALUES, SIZES),
    "groups": lambda unit: groups(unit)[["reference", "other_low", "difference", "low", "high"]],
    "groups, in pairs": lambda unit: groups(unit, clusters=GROUPS)[["difference", "low", "high"]],
    "class importance": lambda unit: importance(unit * MAPS).psi,
    "class importance, its ends": lambda unit: importance(unit * MAPS).interval(),
    "masking, of a change": lambda unit: beta_interval(
        STEPS, unit * (CURVES - CURVES[0]), np.ones(COUNT), published=0.5, signed=True
    ),
}
UNITS = [2.0**-60, 2.0**60]


def numbers(found: object) -> np.ndarray:
    return np.asarray([*found] if isinstance(found, tuple) else found, np.float64)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", ALIKE)
def test_what_is_a_share_is_the_same_in_any_unit(name, unit):
    plain = numbers(ALIKE[name](1.0))
    assert np.isfinite(plain).any()
    np.testing.assert_allclose(numbers(ALIKE[name](unit)), plain, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", IN_THAT_UNIT)
def test_what_is_no_share_is_in_the_unit_of_what_was_given(name, unit):
    plain = numbers(IN_THAT_UNIT[name](1.0))
    assert np.isfinite(plain).any()
    np.testing.assert_allclose(numbers(IN_THAT_UNIT[name](unit)) / unit, plain, rtol=1e-6, atol=1e-12)
