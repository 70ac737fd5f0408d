"""What every result can do: give its table, draw itself, go into a file, and show itself in a notebook."""

from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from stexplain.checking.elsewhere import OF_RESULTS, missing
from stexplain.errors import InputError
from stexplain.files import atomic_write
from stexplain.reading import given_path
from stexplain.wording import counted

TABLES = (".csv", ".parquet")
CHARTS = (".html", ".png", ".svg", ".pdf")
_ROWS = 20
"""As many rows of a table are shown in a notebook."""


class Result:
    """A result: `to_frame` is its table, `save` writes it, a notebook shows it. Those with a chart are `Charted`."""

    def to_frame(self) -> pd.DataFrame:
        """The result as a table."""
        raise NotImplementedError

    def save(self, path: "str | Path") -> None:
        """Writes a file, completely or not at all.

        Args:
            path: its ending says what. ``.csv`` and ``.parquet`` hold the table `to_frame`; of a result that has a
                chart, ``.html``, ``.png``, ``.svg`` and ``.pdf`` hold that.

        Raises:
            InputError: where the ending is another.
            DataError: where it cannot be written.
        """
        path = given_path(path, "path")
        kind, charts = path.suffix.lower(), CHARTS if isinstance(self, Charted) else ()
        if kind in charts and isinstance(self, Charted):
            drawn("save", self.plot(), path)
        elif kind in TABLES:
            table = self.to_frame()
            if about := getattr(self, "made_by", None):
                # pandas keeps it in a Parquet file's own metadata, and gives it back as attrs.
                table.attrs = {"made_by": dict(about)}
            write_table(table, path)
        else:
            raise InputError(f"path: got {path.name!r}; expected a name that ends in {', '.join((*TABLES, *charts))}.")

    def _said(self) -> str:
        """What it is, in a few words."""
        return ""

    def __repr__(self) -> str:
        said = self._said()
        return f"<{type(self).__name__}{f' of {said}' if said else ''}; to_frame() has all>"

    def _repr_html_(self) -> str:
        """What a notebook shows: what it is, and the first rows of its table."""
        table = self.to_frame()
        more = f"<p>{counted(len(table) - _ROWS, 'more row')}</p>" if len(table) > _ROWS else ""
        head = table.head(_ROWS).to_html(index=_named(table), border=0, float_format="{:.3g}".format, na_rep="")
        return f"<p>{escape(repr(self).strip('<>'))}</p>{head}{more}"

    if not TYPE_CHECKING:  # type checkers would let any name pass

        def __getattr__(self, name: str) -> NoReturn:
            missing(self, name, OF_RESULTS)


class Charted(Result):
    """A result that draws itself by the function of `stexplain.viz` that is made for it, `_CHART`."""

    _CHART = ""

    def plot(self, *, ax: Any = None, **options: Any) -> Any:
        """An altair chart.

        Args:
            ax: axes of matplotlib to draw the same numbers into, where `stexplain.viz` has a function for that (class
                importance has one); none: an altair chart.
            **options: of the function of `stexplain.viz` that draws it.

        Returns:
            The chart, or `ax`.

        Raises:
            InputError: where an option is none of that function's, or this result cannot be drawn into `ax`.
        """
        if ax is None:
            return drawn(self._CHART, self._drawn_of(), **{**self._drawn_with(), **options})
        if not hasattr(import_module("stexplain.viz"), f"draw_{self._CHART}"):
            raise InputError(f"ax: viz.{self._CHART} draws no axes of matplotlib. Leave ax out, or draw to_frame().")
        return drawn(f"draw_{self._CHART}", self._drawn_of(), ax, **options)

    def _drawn_of(self) -> Any:
        """What that function takes."""
        return self.to_frame()

    def _drawn_with(self) -> dict[str, Any]:
        """Its options, where none are given."""
        return {}


def drawn(name: str, *of: Any, **options: Any) -> Any:
    """What the function of `stexplain.viz` of this name makes.

    Raises:
        InputError: where an option is none of that function's.
    """
    # By its name, when it is asked to: results lie below what draws them, and a type checker that sees the circle takes
    # functions of the package for its modules.
    viz = import_module("stexplain.viz")
    try:
        return getattr(viz, name)(*of, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise InputError(f"{error}. See the options of stexplain.viz.{name}.") from error


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Writes a table as ``.csv`` or ``.parquet``, with its index where that has a name.

    Raises:
        InputError: where the package that writes Parquet is not installed.
        DataError: where it cannot be written.
    """
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".csv":
            table.to_csv(temporary, index=_named(table))
            return
        try:
            table.to_parquet(temporary, index=_named(table))
        except ImportError as error:
            raise InputError(
                "path: .parquet files need a package that is not installed. pip install pyarrow, or write .csv."
            ) from error


def _named(table: pd.DataFrame) -> bool:
    return any(name is not None for name in table.index.names)
