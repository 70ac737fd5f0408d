from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.targets import Class, Forecast
from stexplain.intervals.bootstrap import interval
from stexplain.metrics import Fidelity, fidelity
from tests.metrics.small_batches import batch, linear, padded

LINEAR, BATCH = linear(), batch()
LOGITS = LINEAR(BATCH.x).detach()
ANSWER = LOGITS.argmax(1)
MAP = torch.stack([LINEAR.contributions(BATCH.x, int(c))[row] for row, c in enumerate(ANSWER)])


def cut(row: int, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The sample without its most important positions, and with only those, by loops."""
    x = BATCH.x[row : row + 1]
    positions = [
        tuple(position) for position in np.argwhere(np.ones(MAP[row].shape)) if BATCH.valid[row][tuple(position[:2])]
    ]
    positions.sort(key=lambda position: -float(MAP[row][position]))
    without, alone = x.clone(), torch.zeros_like(x)
    for position in positions[: round(share * len(positions))]:
        without[0][position] = 0
        alone[0][position] = x[0][position]
    return without, alone


@pytest.mark.parametrize("focus", ["model", "phenomenon"])
def test_equals_the_definitions(focus):
    result = fidelity(LINEAR, BATCH, MAP, focus=focus, share=[0.1, 0.4], baseline="zero")
    for step, share in enumerate(result.share):
        for row in range(len(BATCH)):
            of = int(ANSWER[row] if focus == "model" else BATCH.label[row])
            for side, x in zip(("plus", "minus"), cut(row, share), strict=True):
                before, after = LOGITS[row], LINEAR(x)[0].detach()
                probability = before.softmax(0)[of] - after.softmax(0)[of]
                right = abs(int(before.argmax() == of) - int(after.argmax() == of))
                assert result.scores[side]["probability"][step, row] == pytest.approx(float(probability), abs=1e-12)
                assert result.scores[side]["accuracy"][step, row] == right
    assert result.target == {"model": "the predicted class", "phenomenon": "the label"}[focus]


def test_a_target_is_measured_in_its_own_units():
    result = fidelity(LINEAR, BATCH, MAP, target=Class(ANSWER), share=[0.25], baseline="zero")
    for row in range(len(BATCH)):
        ordered = np.sort(MAP[row][BATCH.valid[row]].numpy().ravel())[::-1]
        first = round(0.25 * len(ordered))
        # Of a linear score, what is replaced by zero takes its contribution with it.
        assert result.scores["plus"]["change"][0, row] == pytest.approx(abs(ordered[:first].sum()))
        assert result.scores["minus"]["change"][0, row] == pytest.approx(abs(ordered[first:].sum()))


class Roads(nn.Module):
    outputs = "b t n"

    def forward(self, x):
        return x[:, 0, -3:, :, 0]


def test_forecasts():
    speeds = torch.arange(24.0).view(1, 1, 6, 4, 1)
    roads = replace(BATCH, x=speeds, valid=torch.ones(1, 1, 6, dtype=torch.bool), label=-torch.ones(1), ids=("a",))
    heat = (speeds == 22).double()[..., 0]
    result = fidelity(Roads(), roads, heat, target=Forecast(2, 3), share=[1 / 24], baseline="mean")
    # The mean of node 2 is 12: without the last reading, 22 mph, the forecast is 10 mph lower.
    assert result.interval("plus", "change")[0].value == 10
    assert result.interval("minus", "change")[0].value == 0
    with pytest.raises(InputError, match="means nothing"):
        result.characterization("change")
    with pytest.raises(InputError, match=r"Give `target`, such as Forecast"):
        fidelity(Roads(), roads, heat)


@pytest.mark.parametrize("target", [lambda output: output[:, 0], Class(0)])
def test_what_lowers_a_score_of_no_class_matters_as_what_raises_it(target):
    """Contributions 1, -5, 2 and 0: of no class the second matters most, for a class the third does."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    model[1].weight.data.copy_(torch.tensor([[1.0, -5.0, 2.0, 0.0], [0.0] * 4]))
    contributions = [[[[1.0, -5.0, 2.0, 0.0]]]]
    options = {"target": target, "share": [0.25], "over": "nodes", "baseline": "zero"}

    def plus(**more):
        return fidelity(model, torch.ones(1, 1, 1, 4, 1), contributions, **options, **more).scores["plus"]["change"]

    assert plus() == (2 if isinstance(target, Class) else 5)
    assert (plus(ranking="signed"), plus(ranking="magnitude")) == (2, 5)


def test_characterization():
    def made(plus, minus):
        scores = {"plus": {"probability": np.array([plus])}, "minus": {"probability": np.array([minus])}}
        return Fidelity("positions", "zero", np.array([0.1]), scores, ("a",) * len(plus))

    def score(plus, minus, **options):
        return made([plus], [minus]).characterization(**options)[0].value

    assert score(1, 0) == 1
    assert score(0, 0) == score(0.5, 1) == score(0, 1) == 0
    # Harmonic mean of 0.4 and 0.8; then of weight 3/4 and 1/4.
    assert score(0.4, 0.2) == pytest.approx(2 * 0.4 * 0.8 / 1.2)
    assert score(0.4, 0.2, weight=0.75) == pytest.approx(1 / (0.75 / 0.4 + 0.25 / 0.8))
    assert np.isnan(score(-0.1, 0.2))
    value, low, high = made([0.9, 0.1, 0.5, 0.7, 0.6], [0.1, 0.2, 0.1, 0.3, 0.2]).characterization()[0]
    assert low < value < high
    assert value == pytest.approx(score(0.56, 0.18))
    # Where fid- is 0 the score is p / d with d = w + (1 - w) p, whose derivative is w / d^2.
    for weight in (0.5, 0.8):
        plus = np.array([0.9, 0.1, 0.5, 0.7, 0.6, 0.2])
        d = weight + (1 - weight) * plus.mean()
        linear = plus.mean() / d + weight / d**2 * (plus - plus.mean())
        expected = interval(linear)
        found = made(plus.tolist(), [0.0] * 6).characterization(weight=weight)[0]
        assert found == pytest.approx((expected.value, max(expected.low, 0), min(expected.high, 1)))


def test_the_right_cells_are_necessary_and_enough():
    right, wrong = (fidelity(LINEAR, BATCH, sign * MAP, share=[0.3], baseline="zero") for sign in (1, -1))
    for measure in ("probability", "accuracy"):
        assert right.interval("plus", measure)[0].value > wrong.interval("plus", measure)[0].value
        assert right.interval("minus", measure)[0].value < wrong.interval("minus", measure)[0].value
        assert right.characterization(measure)[0].value > 0.5


@pytest.mark.parametrize("over", ["nodes", "frames", "positions"])
def test_parts_padding_and_chunks(over):
    whole = fidelity(LINEAR, BATCH, MAP, over=over)
    parts = Fidelity.joined([fidelity(LINEAR, BATCH[rows], MAP[rows], over=over) for rows in (slice(2), slice(2, 6))])
    wide = linear(frames=9)
    wide.weight.data[:, :6] = LINEAR.weight.data
    long_map = nn.functional.pad(MAP, (0, 0, 0, 3, 0, 1))
    others = [
        parts,
        fidelity(wide, padded(BATCH), long_map, over=over),
        fidelity(LINEAR, BATCH, MAP, over=over, chunk=4),
    ]
    for other in others:
        for side, measures in whole.scores.items():
            for measure, scores in measures.items():
                assert np.allclose(other.scores[side][measure], scores, atol=1e-12)
        assert other.ids == whole.ids
    table = parts.to_frame().set_index(["side", "measure", "share"])
    assert table.loc[("plus", "accuracy", 0.1), "value"] == whole.interval("plus", "accuracy")[0].value
    assert len(table) == 2 * 2 * 4


def test_wrong_use():
    explanation = Explanation(MAP.numpy(), BATCH.valid.numpy(), ids=BATCH.ids, method="m")
    result = fidelity(LINEAR, BATCH, explanation)
    assert result.method == "m"
    with pytest.raises(InputError, match="shares between 0 and 1"):
        fidelity(LINEAR, BATCH, MAP, share=[0.0])
    with pytest.raises(InputError, match="unknown focus"):
        fidelity(LINEAR, BATCH, MAP, focus="models")
    with pytest.raises(InputError, match="expected classes of the model"):
        fidelity(LINEAR, replace(BATCH, label=-torch.ones(6, dtype=torch.int64)), MAP, focus="phenomenon")
    with pytest.raises(InputError, match="Did you mean 'plus'"):
        result.interval("pluss", "accuracy")
    with pytest.raises(InputError, match="unknown measure 'change'"):
        result.interval("plus", "change")
    with pytest.raises(InputError, match="weight: got 1"):
        result.characterization(weight=1)
    with pytest.raises(InputError, match="different method"):
        Fidelity.joined([result, fidelity(LINEAR, BATCH, MAP)])
    with pytest.raises(InputError, match="different shares"):
        Fidelity.joined([result, fidelity(LINEAR, BATCH, explanation, share=[0.5])])


class OneLogit(nn.Module):
    """Whether the sum of all readings is positive."""

    def forward(self, x):  # b t n
        return x.sum((1, 2))


@pytest.mark.parametrize("kind", ["logit", "column", "two logits", "probabilities", "log-probabilities"])
def test_a_probability_is_read_from_any_kind_of_output(kind):
    class Kind(OneLogit):
        def forward(self, x):
            logit = super().forward(x)
            both = torch.stack([-logit / 2, logit / 2], 1)
            return {
                "logit": logit,
                "column": logit[:, None],
                "two logits": both,
                "probabilities": both.softmax(1),
                "log-probabilities": both.log_softmax(1),
            }[kind]

    x = torch.tensor([[[1.0, 2.0]], [[-1.0, -3.0]]]).double()
    importance = np.array([[[[0.0, 1.0]]]] * 2)
    result = fidelity(Kind(), x, importance, share=[0.5], baseline="zero", inputs="b t n")
    # The predicted class falls from the logit 3 to 1, and from 4 to 1 for the other class.
    expected = [1 / (1 + np.exp(-3)) - 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-4)) - 1 / (1 + np.exp(-1))]
    np.testing.assert_allclose(result.scores["plus"]["probability"][0], expected, rtol=1e-6)


def test_labels_of_a_tensor_are_given():
    x, importance = torch.ones(2, 1, 2), np.ones((2, 1, 1, 2))
    options = {"focus": "phenomenon", "inputs": "b t n", "share": [0.5]}
    result = fidelity(OneLogit(), x, importance, labels=[1, 0], **options)
    assert result.scores["plus"]["accuracy"].tolist() == [[0, 0]]
    with pytest.raises(InputError, match="Give `labels`"):
        fidelity(OneLogit(), x, importance, **options)
    with pytest.raises(InputError, match=r"labels has shape \(3,\); expected \[b=2\]"):
        fidelity(OneLogit(), x, importance, labels=[1, 0, 1], **options)


def test_a_characterization_and_its_interval_are_shares():
    """Of samples that are almost all at one end, or the other, the interval would leave [0, 1]."""
    random = np.random.default_rng(0)
    for plus, minus in ((0.99, 0.01), (0.02, 0.98)):
        scores = {
            "plus": {"probability": np.clip(plus + random.normal(0, 0.2, (1, 12)), -1, 1)},
            "minus": {"probability": np.clip(minus + random.normal(0, 0.2, (1, 12)), -1, 1)},
        }
        found = Fidelity("nodes", "zero", np.array([0.5]), scores, tuple("abcdefghijkl"))
        (one,) = found.characterization()
        assert 0 <= one.low <= one.value <= one.high <= 1
