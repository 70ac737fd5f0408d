"""
Skeletons: from a class to its joints
=====================================

Recordings of bodies with 25 joints, as a depth camera sees them; a network that tells actions apart; and the joints and
frames that it uses. The recordings are synthetic: it is known which positions make the class, so that the explanation
can be checked.
"""

# %%
# Recordings
# ----------
# Without ``data=`` the dataset's generator makes recordings once, and keeps them. Your own go in with
# ``data="stores/ntu"``, or by ``stx.load_skeletons``: see :doc:`/own-data`.

import torch

import stexplain as stx
from stexplain.cards import model_card
from stexplain.training import evaluate

# Clips are centred, and each body is turned to the front.
recipe = (
    model_card("stgcn2")
    .recipe("quick")
    .model_copy(update={"frames": 32, "center": "first", "align": "hip", "batch": 16})
)
train = stx.load_dataset("ntu", split="xsub/train", recipe=recipe)
test = stx.load_dataset("ntu", split="xsub/test", recipe=recipe)
train

# %%
# A network
# ---------
# A small one, so that this page builds fast. ``stexplain bench ntu`` trains the paper's.

torch.manual_seed(0)
model = stx.load_model(
    "stgcn2", graph=train.graph, classes=train.classes, recipe=recipe
)
stx.fit(model, train, recipe=recipe, seed=0, progress=False)
print(f"test accuracy: {evaluate(model, test).accuracy:.2f}; chance is 0.25")

# %%
# An explanation
# --------------
# Of the label, not of what was predicted, which is wrong now and then.

batch = test.batch(range(0, len(test), 30))
e = stx.explain(model, batch, target=stx.Class(batch.label.tolist()))
e

# %%
# Importance per joint, and on the body with a slider over frames:

e.nodes().iloc[0].sort_values(ascending=False).head()

# %%
stx.viz.skeleton(e, x=batch.x[0].numpy())

# %%
# Over time, the joints of each limb together:

stx.viz.timeline(e, sample=0)

# %%
# Is it right?
# ------------
# The area under the ROC curve: of pairs of positions, one that makes the class and one that does not, the share that the
# map puts in the right order; 0.5 is chance. The first row is the method of the map above. Motion energy, which uses no
# model, is the baseline to beat.

from stexplain.metrics import localisation_score

result = stx.compare(
    [
        stx.ExpectedFall(model),
        stx.InputGradient(model),
        stx.STGGradCAM(model),
        stx.Motion(),
        stx.Random(),
    ],
    [localisation_score("positions")],
    batch,
    target=stx.Class(batch.label.tolist()),
    progress=False,
)
result

# %%
# Read next: :doc:`two_groups` compares patients with controls, :doc:`/skeleton` is the paper's experiment with its report,
# and :doc:`/methods` says which method to choose.
