import math

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from stexplain.errors import CardError
from stexplain.training.schedules import make_optimizer, rate_at
from tests.training.standin import recipe


def test_step_falls_by_ten_at_each_milestone() -> None:
    requested = recipe(schedule="step", epochs=80, milestones=[10, 50], rate=0.1)
    for step, wanted in [(0, 0.1), (10 * 7 - 1, 0.1), (10 * 7, 0.01), (50 * 7 - 1, 0.01), (50 * 7, 0.001)]:
        assert rate_at(requested, step, 7) == pytest.approx(wanted, rel=1e-12)


def test_cosine_halves_in_the_middle_and_would_end_at_zero() -> None:
    requested = recipe(schedule="cosine", epochs=10, rate=0.2)
    assert rate_at(requested, 0, 5) == 0.2
    assert rate_at(requested, 25, 5) == pytest.approx(0.1, abs=1e-15)
    assert rate_at(requested, 49, 5) == pytest.approx(0.1 * (1 + math.cos(math.pi * 49 / 50)), rel=1e-12)


@pytest.mark.parametrize(("epochs", "steps"), [(2, 2), (3, 5), (20, 64)])
def test_one_cycle_is_torch_s(epochs: int, steps: int) -> None:
    requested = recipe(schedule="one-cycle", epochs=epochs, rate=0.1)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    peer = OneCycleLR(optimizer, max_lr=0.1, total_steps=epochs * steps, cycle_momentum=False)
    for step in range(epochs * steps):
        assert rate_at(requested, step, steps) == pytest.approx(peer.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        if step + 1 < epochs * steps:
            peer.step()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_of_very_few_steps_only_falls(steps: int) -> None:
    rates = [rate_at(recipe(schedule="one-cycle", epochs=1), step, steps) for step in range(steps)]
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)


def test_sgd_takes_its_numbers_from_the_recipe() -> None:
    # One Nesterov step from w = 1 with gradient g = w: d = g + decay * w; w - rate * (d + momentum * d).
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = make_optimizer(recipe(rate=0.1, momentum=0.9, weight_decay=0.01), [weight])
    (weight**2 / 2).sum().backward()
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.1 * 1.9 * 1.01, rel=1e-12)


def test_adamw_takes_its_numbers_from_the_recipe() -> None:
    # The first step of AdamW is rate * sign(gradient) after decaying the weight by rate * decay.
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = make_optimizer(recipe(optimizer="adamw", rate=0.1, weight_decay=0.5), [weight])
    (weight**2 / 2).sum().backward()
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.05 - 0.1, abs=1e-8)
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)


def test_plain_sgd_without_momentum_is_allowed() -> None:
    assert (
        make_optimizer(recipe(momentum=0.0), [torch.nn.Parameter(torch.ones(1))]).param_groups[0]["nesterov"] is False
    )


def test_step_falls_by_the_recipe_s_decay() -> None:
    requested = recipe(schedule="step", epochs=50, milestones=[5, 10], decay=0.7, rate=0.001)
    assert [rate_at(requested, epoch * 3, 3) for epoch in (4, 5, 10)] == pytest.approx([0.001, 0.0007, 0.00049])


def test_rmsprop_takes_its_numbers_from_the_recipe() -> None:
    # After the first step the mean square is 0.1 g^2: the step is rate * g / (sqrt(0.1) g).
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = make_optimizer(recipe(optimizer="rmsprop", rate=0.1, momentum=0.0), [weight])
    (weight**2 / 2).sum().backward()
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.1 / math.sqrt(0.1), abs=1e-6)


def test_a_recipe_samples_clips_or_says_nothing_of_them() -> None:
    with pytest.raises(ValueError, match="got only one of frames and sampling"):
        recipe(sampling=None)
    assert recipe(frames=7).clip_frames == 7
    with pytest.raises(CardError, match="got one for forecasts"):
        _ = recipe(frames=None, sampling=None).clip_frames
