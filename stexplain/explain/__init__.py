"""Explainers: a model, a batch and a target in, importance over node x time out. One file per method."""

from stexplain.explain.cam import CAM as CAM
from stexplain.explain.controls import Motion as Motion
from stexplain.explain.controls import Random as Random
from stexplain.explain.explanation import Explanation as Explanation
from stexplain.explain.explanation import joined as joined
from stexplain.explain.grad_cam import STGGradCAM as STGGradCAM
from stexplain.explain.grad_cam_plus_plus import GradCAMPlusPlus as GradCAMPlusPlus
from stexplain.explain.gradient import InputGradient as InputGradient
from stexplain.explain.gradient_shap import GradientSHAP as GradientSHAP
from stexplain.explain.hires_cam import HiResCAM as HiResCAM
from stexplain.explain.integrated_gradients import IntegratedGradients as IntegratedGradients
from stexplain.explain.layer_cam import LayerCAM as LayerCAM
from stexplain.explain.learned_mask import LearnedMask as LearnedMask
from stexplain.explain.occlusion import Occlusion as Occlusion
from stexplain.explain.shapley import ShapleyValueSampling as ShapleyValueSampling
from stexplain.explain.targets import Class as Class
from stexplain.explain.targets import Custom as Custom
from stexplain.explain.targets import Forecast as Forecast
from stexplain.explain.targets import Margin as Margin
from stexplain.explain.targets import OutputInfo as OutputInfo
from stexplain.explain.targets import PerSample as PerSample
from stexplain.explain.targets import Predicted as Predicted
from stexplain.explain.targets import Target as Target
from stexplain.explain.temporal_rescaling import TemporalRescaling as TemporalRescaling
from stexplain.explain.without_graph import GraphAblated as GraphAblated
from stexplain.explain.without_graph import graph_removed as graph_removed
