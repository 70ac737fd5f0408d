"""Explanations, graphs and scores as altair charts. Nothing is computed here but the drawing.

`maps` draws explanations and graphs: nodes, frames, positions. `scores` draws what was measured: accuracy, errors,
faithfulness, localisation, comparisons of methods. Every function returns an altair chart. Change it further, show it
in a notebook, or save it: `save(chart, path)` writes an interactive page that opens offline, a picture, or the chart's
Vega-Lite specification; `animate(chart, path)` writes a film. The functions `draw_...` draw the same numbers into axes
of matplotlib.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from stexplain.errors import suggest as _suggest
from stexplain.viz.film import animate as animate
from stexplain.viz.maps.class_bodies import class_bodies as class_bodies
from stexplain.viz.maps.edges import edge_network as edge_network
from stexplain.viz.maps.edges import edge_timeline as edge_timeline
from stexplain.viz.maps.importance_map import importance_map as importance_map
from stexplain.viz.maps.lag_map import lag_map as lag_map
from stexplain.viz.maps.network import network as network
from stexplain.viz.maps.road_network import road_network as road_network
from stexplain.viz.maps.skeleton import skeleton as skeleton
from stexplain.viz.maps.timeline import timeline as timeline
from stexplain.viz.maps.top_nodes import top_nodes as top_nodes
from stexplain.viz.matplotlib_axes import draw_skeleton as draw_skeleton
from stexplain.viz.matplotlib_axes import draw_timeline as draw_timeline
from stexplain.viz.matplotlib_maps import draw_class_bodies as draw_class_bodies
from stexplain.viz.matplotlib_maps import draw_importance_map as draw_importance_map
from stexplain.viz.matplotlib_maps import draw_network as draw_network
from stexplain.viz.matplotlib_maps import draw_road_network as draw_road_network
from stexplain.viz.matplotlib_maps import draw_top_nodes as draw_top_nodes
from stexplain.viz.save import save as save
from stexplain.viz.scores.comparison import comparison as comparison
from stexplain.viz.scores.confusion import confusion as confusion
from stexplain.viz.scores.deletion import deletion as deletion
from stexplain.viz.scores.forecast import forecast as forecast
from stexplain.viz.scores.group_comparison import group_comparison as group_comparison
from stexplain.viz.scores.history import history as history
from stexplain.viz.scores.horizon_errors import horizon_errors as horizon_errors
from stexplain.viz.scores.localisation import localisation as localisation
from stexplain.viz.scores.masking_curves import masking_curves as masking_curves
from stexplain.viz.scores.randomisation import randomisation as randomisation
from stexplain.viz.scores.truths import truths as truths

__all__ = [
    "animate",
    "class_bodies",
    "comparison",
    "confusion",
    "deletion",
    "draw_class_bodies",
    "draw_importance_map",
    "draw_network",
    "draw_road_network",
    "draw_skeleton",
    "draw_timeline",
    "draw_top_nodes",
    "edge_network",
    "edge_timeline",
    "forecast",
    "group_comparison",
    "history",
    "horizon_errors",
    "importance_map",
    "lag_map",
    "localisation",
    "masking_curves",
    "network",
    "randomisation",
    "road_network",
    "save",
    "skeleton",
    "timeline",
    "top_nodes",
    "truths",
]


def __dir__() -> list[str]:
    # Modules of the package stand beside these names once they are imported; nobody looks for them here.
    return sorted(__all__)


if not _TYPE_CHECKING:
    # Hidden from type checkers, which would otherwise let any name pass.

    def __getattr__(name: str) -> object:
        names = __all__
        raise AttributeError(f"stexplain.viz has no {name!r}. {_suggest(name, names)}")
