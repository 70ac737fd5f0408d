"""Explanations, scores and graphs as altair charts. Nothing is computed here but the drawing.

Every function returns a chart that can be changed further, shown in a notebook, or saved: `save(chart, path)` writes
an interactive page that opens offline, a picture, or the chart's specification.
"""

from stexplain.viz.comparison import comparison as comparison
from stexplain.viz.confusion import confusion as confusion
from stexplain.viz.deletion import deletion as deletion
from stexplain.viz.forecast import forecast as forecast
from stexplain.viz.history import history as history
from stexplain.viz.horizon_errors import horizon_errors as horizon_errors
from stexplain.viz.importance_map import importance_map as importance_map
from stexplain.viz.lag_map import lag_map as lag_map
from stexplain.viz.localisation import localisation as localisation
from stexplain.viz.masking_curves import masking_curves as masking_curves
from stexplain.viz.network import network as network
from stexplain.viz.randomisation import randomisation as randomisation
from stexplain.viz.road_network import road_network as road_network
from stexplain.viz.save import save as save
from stexplain.viz.skeleton import skeleton as skeleton
from stexplain.viz.timeline import timeline as timeline
from stexplain.viz.top_nodes import top_nodes as top_nodes

__all__ = [
    "comparison",
    "confusion",
    "deletion",
    "forecast",
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
]
