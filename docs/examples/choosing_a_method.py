"""
Choosing a method
=================

Which method answers which question, what it costs, and what it was shown to find. The second half measures it: on
recordings whose cause is known, with a network trained on this page.

**By question**

.. list-table::
   :header-rows: 1
   :widths: 44 32 24

   * - question
     - method
     - inferences of a sample
   * - Which nodes, and when? A first answer
     - ``stx.explain(model, x)``, without a method
     - see the table below
   * - The same, of the paper; or of a layer
     - ``STGGradCAM``; ``HiResCAM`` where time matters
     - 2
   * - What contributes to the class, and what counts against it?
     - ``ExpectedGradients(reduce="sum")``, ``IntegratedGradients``
     - 30 to 50
   * - How many mph of this forecast come from where?
     - ``IntegratedGradients`` with the historical average as baseline
     - 3 for each step
   * - Which body parts, which districts?
     - ``ShapleyValueSampling(groups=...)``
     - groups x orders
   * - What if this were missing? No gradient is needed
     - ``Occlusion``
     - nodes x windows
   * - How little is enough, or is needed?
     - ``LearnedMask(goal="keep")``, ``goal="destroy"``
     - 3 for each step
   * - Over which edges?
     - ``EdgeImportance``
     - 3, and once 47 to 94
   * - Does the graph matter at all?
     - ``GraphAblated``, ``stx.training.graph_ablation``
     - 2; a training

All of them have the same call and the same result, so that a second opinion is one word: ``method="Occlusion"``.
"""

# %%
# Data with a known cause
# -----------------------
# Signals over a graph of forty sensors. In one event of one group of sensors the class lies, amid events that look the
# same in any two of three channels. The generator also gives each recording without its cause, the *counterfactual*.

import pandas as pd
import torch

import stexplain as stx
from stexplain.cards import model_card
from stexplain.metrics import (
    counted_inferences,
    effect,
    effect_agreement,
    localisation,
)
from stexplain.training import evaluate

card = model_card("stgcn2")
recipe = card.recipe("quick")
train = stx.load_dataset("planted", split="random/train", recipe=recipe)
test = stx.load_dataset("planted", split="random/test", recipe=recipe)
torch.manual_seed(0)
model = stx.load_model(card, graph=train.graph, classes=train.classes, recipe=recipe)
stx.fit(model, train, recipe=recipe, seed=0, progress=False)
print(f"{evaluate(model, test).accuracy:.2f} of the test recordings are right")

# %%
# Two truths
# ----------
# *Planted* is where the data's classes differ. *Effect* is what this network used of it: how far its score falls when a
# sensor in one of eight windows of time is replaced by its counterfactual. A method that shows what the network uses is
# right by the second, even where the network ignores part of the first.

rows = range(0, len(test), 12)
batch = test.batch(rows)
label = stx.Class(batch.label.tolist())
used = effect(model, batch, test.counterfactual().batch(rows), target=label)

# %%
# Methods
# -------
# Where a sign says which way the score moves, its size is the importance. The baseline explainers use no model: who does
# not beat them says nothing about a model.

METHODS = {
    "default of stx.explain": None,
    "input gradient": stx.InputGradient(model),
    "STG-Grad-CAM": stx.STGGradCAM(model),
    "HiResCAM": stx.HiResCAM(model),
    "integrated gradients": stx.IntegratedGradients(model, steps=16),
    "occlusion, 8 frames": stx.Occlusion(model, window=8, baseline="interpolation"),
}
WITHOUT_MODEL = {
    "motion energy": stx.Motion(),
    "deviation": stx.Deviation(),
    "random": stx.Random(),
}
SIZE = ("input gradient", "integrated gradients")

found = []
for name, explainer in (METHODS | WITHOUT_MODEL).items():
    with counted_inferences(model) as counted:
        if explainer is None:
            e = stx.explain(model, batch, target=label)
            print(f"The default of stx.explain is {e.method}.")
        else:
            e = explainer(batch, target=label)
    importance = abs(e.values) if name in SIZE else e.importance
    against_effect = effect_agreement(importance, used, planted=batch.truth)
    found.append(
        {
            "method": name,
            "planted positions": localisation(importance, batch.truth, batch.present)
            .interval("positions", "auroc")
            .value,
            "effect positions": against_effect.mean("regions", "auroc"),
            "effect rank": against_effect.mean("regions", "rank"),
            "inferences": counted.per_sample(batch.x.numel()),
        }
    )
table = pd.DataFrame(found).set_index("method").round(2)
table

# %%
# The first two columns are areas under the ROC curve: 1 is perfect, 0.5 is chance. *Effect rank* is the correlation of
# ranks with how much the network used: who looks only for *where* may ignore it. *Inferences* count what is measured
# once for a model, too.

drawn = table.reset_index().melt(
    "method",
    ["planted positions", "effect positions"],
    var_name="truth",
)
drawn["truth"] = drawn["truth"].str.split().str[0]
drawn["baseline_explainer"] = drawn["method"].isin(list(WITHOUT_MODEL))
stx.viz.truths(drawn, title="What each method finds")

# %%
# One training on one kind of data is an example and no ranking. ``stexplain bench planted`` does this for all methods,
# on moving bodies too, with intervals and tests; :doc:`/methods` says what it found over several trainings, and there
# the order differs between graphs and bodies.
#
# What to do on your own data
# ---------------------------
# There no truth is known, but a wrong method can still be told:
#
# - Take two methods of different kinds, such as the default and ``Occlusion``. Where they disagree, believe neither.
# - ``stx.trust(model, method, x, labels=y)`` masks what was found and looks whether the model cares, more than for random nodes and
#   for what uses no model.
# - ``stx.selftest(model, method, x)`` checks that the map is computed as its equation says, on your model.
# - Say the baseline. What is missing is replaced by it: a zero may be a value that your data has. See :doc:`/coming-from`.
