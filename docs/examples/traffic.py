"""
Traffic: from a CSV pair to an explained congestion
===================================================

Loop detectors on a road network, a reading of speed every five minutes. A forecaster says how fast traffic will be at
every detector for the next hour. *Which detectors, when, made it expect a congestion here in half an hour?*

The roads and readings of this page are generated, so that the cause of every congestion is known and what the
explanation says can be checked. Your own are a table of readings and a table of edges as well.
"""

# %%
# Two tables
# ----------
# Readings, a row per five minutes and a column per sensor, and edges, from one sensor to the next downstream. Some readings
# are missing: they stay missing, and never become a speed of zero.

import tempfile
from pathlib import Path

import pandas as pd
import torch

import stexplain as stx
from stexplain.cards import model_card, series_card
from stexplain.data import WindowedSeries, planted_roads

folder = Path(tempfile.mkdtemp())
planted_roads.generate(series_card("roads"), folder)

speeds = pd.read_csv(folder / "speeds.csv", index_col=0, parse_dates=True)
edges = pd.read_csv(folder / "edges.csv")
sensors = pd.read_csv(folder / "sensors.csv", index_col="sensor")
speeds.iloc[:4, :6].round(1)

# %%
# A graph, and windows
# --------------------
# An hour is read, an hour is forecast. Nothing is copied: a window is cut when it is asked for. The parts follow each other in
# time, and no reading is in two of them.

graph = stx.STGraph.from_pandas(
    edges,
    nodes=list(speeds.columns),
    directed=True,
    positions=sensors.loc[speeds.columns, ["x", "y"]].to_numpy(),
)
series = WindowedSeries(
    speeds, graph=graph, window=12, horizon=12, stride=2, unit="mph"
)
train, validation, test = series.split(train=0.6, validation=0.1)
train

# %%
# A forecaster
# ------------
# The network of Yu, Yin and Zhu (2018), small. It takes mph and gives mph: the scaler, of training readings only, lives
# inside of it.

card = model_card("stgcn-roads")
recipe = card.recipe("quick").model_copy(update={"epochs": 5})
torch.manual_seed(0)
model = stx.load_model(card, graph=graph, recipe=recipe)
history = stx.fit(model, train, recipe=recipe, validation=validation, progress=False)

# %%
# Is it worth explaining?
# -----------------------
# Only a forecaster that beats the two guesses which cost nothing: that all stays as it is now, and that all is as it is
# usually at this time of day.

from stexplain.training import (
    evaluate_forecast,
    graph_ablation,
    historical_average,
    persistence,
)

errors = {
    "model": evaluate_forecast(model, test),
    "persistence": persistence(train, test),
    "historical average": historical_average(train, test),
}
table = pd.concat(
    {name: found.to_frame() for name, found in errors.items()}, names=["forecast"]
)
table.round(2)

# %%
# And does it use its graph? The same network is trained once more, every sensor hearing only itself. Where the two are as
# good, an explanation that points at other sensors is of little weight.

ablation = graph_ablation(
    model, train, test, recipe=recipe, validation=validation, progress=False
)
print(
    f"Without its graph it errs by {ablation.gain.value:.2f} mph more [{ablation.gain.low:.2f}, {ablation.gain.high:.2f}]."
)

# %%
# A congestion that it foresaw
# ----------------------------
# Of all test windows, the sensor whose speed half an hour later fell most, in what came and in what was forecast.

STEP = 6  # half an hour ahead
batch = test.batch(slice(None))
with torch.no_grad():
    forecast = model(batch.x, observed=batch.observed)
now = batch.x[:, 0, -1, :, 0]
seen = batch.observed[:, 0, -1] & batch.y_observed[:, STEP - 1]
fall = torch.where(
    seen, torch.minimum(now - batch.y[:, STEP - 1], now - forecast[:, STEP - 1]), -1.0
)
window, node = divmod(int(fall.argmax()), len(graph))
sensor = graph.nodes[node]
one = batch[window : window + 1]
print(
    f"{sensor}, {test.time_of(window, 11)}: {now[window, node]:.0f} mph now, {one.y[0, STEP - 1, node]:.0f} mph to come"
)

stx.viz.forecast(
    one.x[0, 0, :, node, 0],
    one.y[0, :, node],
    {"model": forecast[window, :, node]},
    horizon=STEP,
    title=f"What was forecast for {sensor}, and what came",
)

# %%
# Which readings made it say so?
# ------------------------------
# Integrated gradients against what is usual at this time of day: every value is in mph, and they sum to how far the forecast
# lies from the one that an ordinary day would have had.

from stexplain.explainers import IntegratedGradients

known = speeds.iloc[train.covered]
usual = known.groupby(known.index.time).mean()
ordinary = torch.tensor(
    usual.loc[[test.time_of(window, step).time() for step in range(12)]].to_numpy()
)
explain = IntegratedGradients(model, baseline=ordinary[None, :, :, None])
e = explain(one, target=stx.Forecast(sensor, STEP))
print(
    f"{e.values.sum():.1f} mph in all; left unexplained: {float(e.extra['convergence_delta'][0]):.2f} mph"
)

# %%
# On the map. Blue lowered the forecast; drag the slider through the hour.

stx.viz.road_network(e, marked={"forecast": [sensor]})

# %%
# As a table of sensors and lags. The congestion began downstream, and is on its way up the road:

stx.viz.lag_map(e, nodes=12, marked={"forecast": [sensor]})

# %%
# Does the model mean it?
# -----------------------
# If these readings matter, then putting what is usual in their place must move the forecast, and faster than replacing as
# many readings at random.

from stexplain.metrics import deletion_curve

curve = deletion_curve(
    model,
    one,
    e,
    target=stx.Forecast(sensor, STEP),
    ranking="magnitude",
    repeats=10,
    baseline=ordinary[None, :, :, None],
)
stx.viz.deletion(
    curve.to_frame("change"),
    score="mph",
    title="How the forecast moves as readings are replaced",
)

# %%
# The whole of it, with several congestions, all methods and their scores against the planted causes, is one command::
#
#     stexplain bench roads
#     stexplain bench roads --data DIR --card los-loop
