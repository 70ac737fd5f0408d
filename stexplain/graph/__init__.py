"""Graphs whose nodes carry signals over time, and the relations that a convolution over them sums."""

from stexplain.graph.dynamic import DynamicGraph as DynamicGraph
from stexplain.graph.relations import Relations as Relations
from stexplain.graph.skeletons.skeleton import Skeleton as Skeleton
from stexplain.graph.skeletons.skeleton import skeleton_named as skeleton_named
from stexplain.graph.skeletons.skeleton import skeleton_names as skeleton_names
from stexplain.graph.stgraph import STGraph as STGraph
from stexplain.graph.stgraph import Strategy as Strategy
