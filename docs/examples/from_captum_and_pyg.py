"""
From captum and PyTorch Geometric's explainer
=============================================

The same model, explained by captum, by PyTorch Geometric and by stexplain: the same numbers, with less around them. The
page shows what to write in the place of what you have, and what changes. All calls side by side: :doc:`/coming-from`.
"""

# %%
# A model
# -------
# Three joints, a coordinate each for x and y, 20 frames: the layout ``[samples, channels, frames, nodes]``.

import numpy as np
import torch
from torch import nn

import stexplain as stx

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(2, 8, (5, 1), padding=(2, 0)), nn.Tanh(),
    nn.Conv2d(8, 8, (1, 3)), nn.Tanh(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
).eval()  # fmt: skip
x = torch.randn(4, 2, 20, 3)
graph = stx.STGraph.from_edges(
    ["hip", "knee", "ankle"], [("hip", "knee"), ("knee", "ankle")]
)
about = {"inputs": "b c t n", "graph": graph}

# %%
# captum
# ------
# A tensor in the layout of the model comes back. Where a library is not installed its part is skipped.

try:
    from captum.attr import IntegratedGradients, LayerGradCam, Saliency
except ImportError:
    Saliency = None
    print("captum is not installed")


def difference(theirs: torch.Tensor, ours: np.ndarray) -> str:
    """The largest difference of two maps, beside the largest value."""
    return f"{abs(theirs.detach().numpy() - ours).max():.0e} of {abs(ours).max():.2g}"


if Saliency is not None:
    theirs = Saliency(model).attribute(x.clone().requires_grad_(), target=1, abs=False)
    e = stx.InputGradient(model, **about)(x, target=1)
    # [samples, instances, frames, nodes, channels], in any layout of the model.
    print("gradient:", difference(theirs.permute(0, 2, 3, 1), e.channels[:, 0]))

    theirs = IntegratedGradients(model).attribute(x, target=1, n_steps=32)
    e = stx.IntegratedGradients(model, steps=32, **about)(x, target=1)
    print("integrated gradients:", difference(theirs.sum(1), e.values[:, 0]))

    theirs = LayerGradCam(model, model[0]).attribute(x, target=1)
    e = stx.STGGradCAM(model, layer="0", **about)(x, target=1)
    print("Grad-CAM:", difference(theirs[:, 0], e.values[:, 0]))

# %%
# What one has then is not a tensor, but knows its nodes, frames and samples, and what there is to know of it:

e = stx.IntegratedGradients(model, baseline="mean", **about)(x, target=1)
print(e.notes)
e.nodes().round(3)

# %%
# captum's baseline is zero unless one says another, and so it is for ``stx.IntegratedGradients``. Here it was each joint's
# mean over time, ``baseline="mean"``: a joint at zero may be a posture that no body has.
#
# PyTorch Geometric
# -----------------
# Its ``Explainer`` takes node features ``[nodes, features]``. Where features are a history, they are time: ``inputs="n t"``
# for one graph. What the model takes beside the signals is ``shared=``.

try:
    from torch_geometric.explain import CaptumExplainer, Explainer
    from torch_geometric.nn import GraphConv
except ImportError:
    Explainer = None
    print("torch_geometric is not installed")

if Explainer is not None and Saliency is not None:

    class OneGraph(nn.Module):
        """A class for each node, from its own history and that of its neighbours."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = GraphConv(20, 8), GraphConv(8, 3)

        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x, edge_index).tanh(), edge_index)

    history, edges = torch.randn(3, 20), torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    network = OneGraph().eval()
    explainer = Explainer(
        network,
        CaptumExplainer("IntegratedGradients", n_steps=32),
        explanation_type="model",
        node_mask_type="attributes",
        model_config={
            "mode": "multiclass_classification",
            "task_level": "node",
            "return_type": "raw",
        },
    )
    theirs = explainer(history, edges, index=2).node_mask
    explain = stx.IntegratedGradients(network, steps=32, inputs="n t", graph=graph)
    which = int(network(history, edges)[2].argmax())
    e = explain(
        history,
        target=stx.NodeClass("ankle", which, layout="n c"),
        shared={"edge_index": edges},
    )
    print("PyTorch Geometric:", difference(theirs.T, e.values[0, 0]))

# %%
# For which edges matter there is ``stx.EdgeImportance``, in the place of ``edge_mask_type="object"``: a value for each edge
# *and frame*. :doc:`pyg_and_dgl` explains a batch of graphs as one large graph.
