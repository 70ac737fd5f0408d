"""Padding of all short clips of three values, by runs of frames that are alike; and of the same turned round."""

from itertools import groupby, product

import pytest
import torch

from stexplain.explainers.model.inputs.padding import noticed_padding, sentence


def padded(values):
    """Of one instance: which frames are padding, as the rule says it."""
    runs = [(value, len(list(same))) for value, same in groupby(values)]
    nothing = [False] * len(values)
    (first, at_start), (last, at_end) = runs[0], runs[-1]
    if len(runs) == 1 or first == last == 0:
        return nothing
    if 0 in (first, last):
        inner = runs[1:] if first == 0 else runs[:-1]
        longest = max((length for value, length in inner if value == 0), default=0)
        length = at_start if first == 0 else at_end
        if len(inner) == 1 or longest >= length:
            return nothing
    else:
        # Of those alike, the observation itself is none.
        if (at_start > 3) == (at_end > 3):
            return nothing
        others = runs[1:] if at_start > 3 else runs[:-1]
        if any(length > 1 for _, length in others):
            return nothing
        length = (at_start if at_start > 3 else at_end) - 1
        first = 0 if at_start > 3 else 1
    rest = [False] * (len(values) - length)
    return [True] * length + rest if first == 0 else rest + [True] * length


@pytest.mark.parametrize("frames", [1, 2, 5, 7])
def test_every_clip(frames):
    clips = list(product((0.0, 1.0, 2.0), repeat=frames))
    x = torch.tensor(clips)[:, None, :, None, None]
    found = noticed_padding(x)
    assert found[:, 0].tolist() == [padded(clip) for clip in clips]
    assert torch.equal(noticed_padding(x.flip(2)), found.flip(2))
    # Zeros of one node or channel alone are none.
    beside = torch.cat([x, torch.arange(1.0, frames + 1)[:, None, None].expand(len(x), 1, frames, 1, 1)], 4)
    assert not noticed_padding(beside).any()
    assert torch.equal(noticed_padding(torch.cat([x, x], 3)), found)


def test_instances_and_samples_are_counted():
    padding = torch.zeros(3, 2, 4, dtype=torch.bool)
    padding[1, 0, 2:] = padding[2, 1] = True
    assert sentence(padding).startswith("Padding: 6 of 24 frames, in 2 of 3 samples,")
