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
# Without ``data=`` the dataset's generator makes a few recordings. Your own go in with ``data="stores/ntu"``, or by
# ``stx.load_skeletons``: see :doc:`/own-data`.

import tempfile
from pathlib import Path

import torch

import stexplain as stx
from stexplain.cards import dataset_card, model_card
from stexplain.data.planted.ntu import generate
from stexplain.data.store.prepare import prepare

card = dataset_card("ntu")
folder = Path(tempfile.mkdtemp())
generate(card, folder / "raw", repetitions=1, workers=1, progress=False)
prepare(card, folder / "raw", folder / "store", workers=1, progress=False)

model_about = model_card("stgcn7")
recipe = model_about.recipe("quick").model_copy(update={"epochs": 2})
train = stx.load_dataset("ntu", folder / "store", "xsub/train", recipe=recipe)
test = stx.load_dataset("ntu", folder / "store", "xsub/test", recipe=recipe)
train

# %%
# A network
# ---------
# Two epochs, so that this page builds fast: it knows little yet. ``stexplain bench ntu`` trains it properly.

torch.manual_seed(0)
model = stx.load_model(
    model_about, graph=train.graph, classes=train.classes, recipe=recipe
)
history = stx.fit(model, train, recipe=recipe, progress=False)
history

# %%
# An explanation
# --------------
# Of the label, not of what was predicted: a network that knows little predicts much that is wrong.

batch = test.batch(range(4))
e = stx.explain(model, batch, target=stx.Class(batch.label.tolist()))
e

# %%
# Importance per joint, and on the body with a slider over frames:

e.nodes().iloc[0].sort_values(ascending=False).head()

# %%
stx.viz.skeleton(e, x=batch.x[0].numpy())

# %%
# Over time. Frames that pad a short recording are no evidence, and stay empty.

stx.viz.timeline(e, sample=0)

# %%
# Is it right?
# ------------
# The area under the ROC curve: of pairs of positions, one that makes the class and one that does not, the share that the
# map puts in the right order; 0.5 is chance. Motion energy, which uses no model, is the baseline to beat.

from stexplain.metrics import localisation_score

result = stx.compare(
    [stx.STGGradCAM(model), stx.Motion(), stx.Random()],
    [localisation_score("positions")],
    batch,
    target=stx.Class(batch.label.tolist()),
    progress=False,
)
result.to_frame().round(2)

# %%
# Read next: :doc:`two_groups` compares patients with controls, :doc:`/skeleton` is the paper's experiment with its report,
# and :doc:`/methods` says which method to choose.
