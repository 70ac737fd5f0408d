import pytest

import stexplain as stx


def test_every_name_resolves_and_there_are_few():
    assert len(stx.__all__) <= 20
    for name in stx.__all__:
        assert getattr(stx, name) is not None


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(AttributeError, match="Did you mean 'STGGradCAM'"):
        _ = stx.STGGradCam


def test_bench_is_called_like_a_function_whatever_was_imported_first():
    import stexplain.bench.stages

    with pytest.raises(stx.metrics.bootstrap.InputError, match="no dataset card"):
        stx.bench("no such card")
    assert stexplain.bench.stages.Stages
