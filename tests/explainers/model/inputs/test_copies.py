"""Whether a model may be given several copies of a batch: wherever its samples lie, and to rounding alone."""

import itertools

import pytest
import torch

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.model.arguments.whole_batch import Way
from stexplain.explainers.model.inputs.copies import _other_signals, copies_of, rows_of, way_of_copies
from stexplain.explainers.model.model_input import ModelInput
from tests.explainers.outputs.test_measure import PATTERNS, laid_out, per_sample, signals

SAMPLES, LAYOUT = 3, Layout("b m t n c")


def samples(dtype=torch.float32, count=SAMPLES):
    x = signals(count).to(dtype)
    sizes = dict(zip("bmtnc", x.shape, strict=True))
    return ModelInput(x, None, sizes, ("",) * count)


def way(run, dtype=torch.float32):
    """Of two copies, one of them changed everywhere."""
    given = samples(dtype)
    return way_of_copies(lambda one: run(one.x), given, LAYOUT, torch.cat([given.x, given.x + 1]))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_copies_run_at_once_where_each_gives_what_it_gives_alone(pattern):
    def run(x):
        return laid_out(per_sample(x), pattern)[0]

    assert way(run) is Way.AS_THEY_ARE
    assert way(lambda x: run(x - x.mean(0))) is None
    assert way(lambda x: {"y": run(x), "road": torch.eye(4), "ids": torch.arange(2)}) is Way.AS_THEY_ARE
    # What is returned beside it may be other than for one copy, and is then not what it gives alone.
    assert way(lambda x: (run(x), torch.tensor(float(len(x))))) is None
    # By the number of samples, at places of other copies, or of another number of tensors.
    assert way(lambda x: run(x) * len(x)) is None
    assert way(lambda x: run(x.roll(1, 0))) is None
    assert way(lambda x: (run(x),) * len(x)) is None
    assert way(lambda x: run(x)[..., None] if len(x) > SAMPLES else run(x)) is None


@pytest.mark.parametrize(
    ("dtype", "off", "expected"),
    [
        (torch.float32, 5e-5, True),
        (torch.float32, 2e-4, False),
        (torch.float64, 5e-10, True),
        (torch.float64, 2e-9, False),
    ],
)
def test_what_differs_by_rounding_alone_is_the_same(dtype, off, expected):
    """Relative to the largest entry: kernels for other batch sizes add in another order."""

    def run(x):
        y = per_sample(x)
        return y + off * per_sample(samples(dtype).x).max() * (len(x) > SAMPLES)

    assert (way(run, dtype) is Way.AS_THEY_ARE) == expected


def test_not_a_number_is_like_itself_and_infinity_is_no_scale():
    def run(x):
        y = per_sample(x)
        return torch.cat([y, torch.full_like(y[:, :1], torch.nan), torch.full_like(y[:, :1], -torch.inf)], 1)

    assert way(run) is Way.AS_THEY_ARE
    assert way(lambda x: run(x) + (len(x) > SAMPLES)) is None
    assert way(lambda x: (per_sample(x) > 3).long()) is Way.AS_THEY_ARE
    assert way(lambda x: "nothing") is None


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("off", "expected"), [(1.01, True), (1.05, False)])
def test_half_precision_has_two_digits(half, off, expected):
    found = way(lambda x: per_sample(x).to(half) * (off if len(x) > SAMPLES else 1.0))
    assert (found is Way.AS_THEY_ARE) == expected


def test_an_entry_for_every_pair_of_samples_is_of_no_copy():
    def pairs(x):
        y = per_sample(x).sum((1, 2))
        return y[:, None] * y

    assert way(pairs) is None


def test_a_model_of_one_batch_size_runs_on_one_copy_at_a_time():
    def run(x):
        if len(x) != SAMPLES:
            raise RuntimeError(len(x))
        return per_sample(x)

    assert way(run) is None
    given, ways = samples(), {}
    x = torch.cat([given.x, given.x + 1, given.x + 2])
    parts = copies_of(lambda one: run(one.x), ways, given, LAYOUT, x)
    assert [len(one.x) for one in parts] == [SAMPLES] * 3
    assert torch.equal(torch.cat([one.x for one in parts]), x)
    # Known from then on: it is not tried again, and a single copy is never tried.
    never = pytest.fail
    assert len(copies_of(never, ways, given, LAYOUT, x[: 2 * SAMPLES])) == 2
    assert len(copies_of(never, {}, given, LAYOUT, given.x)) == 1


def test_a_layout_without_samples_has_one_at_a_time():
    x = signals(1)[0, 0, ..., 0]
    given = ModelInput(x, None, {"b": 1, "m": 1, "t": 6, "n": 4, "c": 1}, ("",))
    assert way_of_copies(lambda one: one.x, given, Layout("t n"), torch.zeros(2, 1, 6, 4, 1)) is None


def test_rows_are_cut_without_a_pass_where_nothing_belongs_to_the_batch():
    given, passes = samples(count=5), []
    # As large as nothing of the batch is.
    given.shared["kernel"] = torch.eye(7)
    part = rows_of(passes.append, {}, given, LAYOUT, slice(1, 3))
    assert torch.equal(part.x, given.x[1:3])
    assert part.sizes["b"] == 2
    assert rows_of(passes.append, {}, given, LAYOUT, slice(0, 5)) is given
    assert not passes


def test_an_argument_that_cannot_be_cut_is_refused():
    """Each row looks two others up: as they are, numbers of the whole batch are out of range, or wrong."""
    given = samples(count=4)
    given.shared["pairs"] = torch.tensor([3, 2, 1, 0])

    def forward(one):
        return per_sample(one.x)[one.shared["pairs"]]

    with pytest.raises(InputError, match="'pairs'.*belongs to the batch as a whole and cannot be cut to 2 of its 4"):
        rows_of(forward, {}, given, LAYOUT, slice(0, 2))


def test_other_signals_are_values_of_each_channel_where_copies_change_it():
    """Of another sample half a clip on; of a single frame of a single sample, of another node."""
    x = signals(3)
    present = torch.rand(3, 1, 6, 4, generator=torch.Generator().manual_seed(0)) > 0.3
    copies = torch.cat([x, x])
    copies[4, 0, 2, 1, 1] += 1
    found = _other_signals(x, copies, present)
    expected = x.clone()
    for sample, frame in itertools.product(range(3), range(6)):
        expected[sample, :, frame, :, 1] = x[sample - 1, :, frame - 3, :, 1]
    expected[~present] = x[~present]
    assert torch.equal(found, expected)
    one = torch.rand(1, 1, 1, 4, 1)
    assert torch.equal(_other_signals(one, one + 1, torch.ones(1, 1, 1, 4, dtype=torch.bool)), one.roll(1, 3))
