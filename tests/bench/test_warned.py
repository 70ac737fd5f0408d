"""Warnings while an experiment runs are said in its own words."""

import io
import logging
import warnings

import pytest
from rich.console import Console

from stexplain.bench.shared.warned import warned_in_words


def said(*messages, category=UserWarning, **options):
    out = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with warned_in_words(Console(file=out, width=300, **options), "ntu/truth"):
            for message in messages:
                warnings.warn(message, category, stacklevel=1)
    return out.getvalue()


def test_a_kind_is_one_line_however_often_it_comes(capsys, caplog):
    missed = [f"gradients: No convergence in {n} of 8 samples. They miss {n / 7:.3g}. Give more." for n in range(1, 4)]
    with caplog.at_level(logging.INFO, "stexplain"):
        out = said(*missed, "roads: no edge leaves 'a'.")
    assert out.splitlines() == [
        "ntu/truth: gradients: No convergence in 1 of 8 samples. (and 2 times more with other numbers)",
        "ntu/truth: roads: no edge leaves 'a'.",
    ]
    # Nothing in Python's own form, with a path and a line of source; all of it in the log.
    assert capsys.readouterr() == ("", "")
    assert [record.getMessage() for record in caplog.records][:3] == [f"ntu/truth: {text}" for text in missed]


def test_other_warnings_and_errors_stay_what_they_are():
    with pytest.warns(DeprecationWarning, match="old"):
        assert said("old", category=DeprecationWarning) == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="missed"), warned_in_words(Console(quiet=True), "a"):
            warnings.warn("missed", UserWarning, stacklevel=1)


def test_python_shows_warnings_as_before_afterwards(capsys):
    before = warnings.showwarning
    with pytest.raises(ValueError, match="broken"), warned_in_words(Console(quiet=True), "a"):
        raise ValueError("broken")
    assert warnings.showwarning is before
