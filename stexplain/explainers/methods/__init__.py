"""The methods, one file each. A new one is exported here, and in `stexplain.explainers`."""

from stexplain.explainers.methods.baselines import Motion as Motion
from stexplain.explainers.methods.baselines import Random as Random
from stexplain.explainers.methods.edge_importance import EdgeImportance as EdgeImportance
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP as GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient as InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients as IntegratedGradients
from stexplain.explainers.methods.graph_ablated import GraphAblated as GraphAblated
from stexplain.explainers.methods.graph_ablated import graph_removed as graph_removed
from stexplain.explainers.methods.layer.cam import CAM as CAM
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM as STGGradCAM
from stexplain.explainers.methods.layer.grad_cam_plus_plus import GradCAMPlusPlus as GradCAMPlusPlus
from stexplain.explainers.methods.layer.hires_cam import HiResCAM as HiResCAM
from stexplain.explainers.methods.layer.layer_cam import LayerCAM as LayerCAM
from stexplain.explainers.methods.layer.layer_sweep import LayerSweep as LayerSweep
from stexplain.explainers.methods.layer.layer_sweep import layer_sweep as layer_sweep
from stexplain.explainers.methods.layer.layers import layers as layers
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask as LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion as Occlusion
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling as ShapleyValueSampling
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling as TemporalRescaling
