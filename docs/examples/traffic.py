"""
Traffic: from two CSV files to an explained slowdown
====================================================

Loop detectors on a road network measure the speed every five minutes. A forecaster predicts the speed at every detector for
the next hour. *Which detectors, and when, made it expect a slowdown here in half an hour?*

The roads and speeds of this page are synthetic, so that the cause of every slowdown is known and explanations can be
checked. Your own data are a table of speeds and a table of edges as well.
"""

# %%
# Two tables
# ----------
# Speeds: a row per five minutes and a column per sensor. Edges: from one sensor to the next downstream. Some values are
# missing: they stay missing, and never become a speed of zero.

import tempfile
from pathlib import Path

import pandas as pd
import torch

import stexplain as stx
from stexplain.cards import model_card, series_card
from stexplain.data.planted.roads import generate

folder = Path(tempfile.mkdtemp())
generate(series_card("roads"), folder)

speeds = pd.read_csv(folder / "speeds.csv", index_col=0, parse_dates=True)
edges = pd.read_csv(folder / "edges.csv")
sensors = pd.read_csv(folder / "sensors.csv", index_col="sensor")
speeds.iloc[:4, :6].round(1)

# %%
# A graph, and windows
# --------------------
# The input is one hour, the forecast the next hour. Windows are cut on demand, without a copy. The splits follow each other
# in time, and no observation is in two of them.

graph = stx.STGraph.from_pandas(
    edges,
    nodes=list(speeds.columns),
    directed=True,
    positions=sensors.loc[speeds.columns, ["x", "y"]].to_numpy(),
)
series = stx.WindowedSeries(speeds, graph=graph, window=12, horizon=12, unit="mph")
train, validation, test = series.split(train=0.6, validation=0.1)
train

# %%
# A forecaster
# ------------
# A small version of the network of Yu, Yin and Zhu (2018). It takes and returns mph: the scaler, fitted on the training
# split, is part of the model.

card = model_card("stgcn-roads")
recipe = card.recipe("quick")
torch.manual_seed(0)
model = stx.load_model(card, graph=graph, recipe=recipe)
history = stx.fit(model, train, recipe=recipe, validation=validation, progress=False)

# %%
# Forecast error
# --------------
# Explain a forecaster only if its error is below that of two baselines: persistence (the last observation) and the
# historical average at this time of day.

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
# Does it use its graph? The same network is trained again without message passing (identity adjacency). If the two errors
# are the same, an explanation that highlights other sensors has little weight.

ablation = graph_ablation(
    model, train, test, recipe=recipe, validation=validation, progress=False
)
print(
    f"Without message passing the error is {ablation.gain.value:.2f} mph higher [{ablation.gain.low:.2f}, {ablation.gain.high:.2f}]."
)

# %%
# A predicted slowdown
# --------------------
# Of all test windows and sensors, take the largest drop of speed within half an hour that is both observed and forecast.

STEP = 6  # half an hour ahead
batch = test.batch(slice(None))
with torch.no_grad():
    forecast = model(batch.x, observed=batch.observed)
last = batch.x[:, 0, -1, :, 0]
present = batch.observed[:, 0, -1] & batch.y_observed[:, STEP - 1]
drop = torch.where(
    present,
    torch.minimum(last - batch.y[:, STEP - 1], last - forecast[:, STEP - 1]),
    -1.0,
)
window, node = divmod(int(drop.argmax()), len(graph))
sensor = graph.nodes[node]
one = batch[window : window + 1]
print(
    f"{sensor}, {test.time_of(window, 11)}: {last[window, node]:.0f} mph now, {one.y[0, STEP - 1, node]:.0f} mph half an hour later"
)

stx.viz.forecast(
    one.x[0, 0, :, node, 0],
    one.y[0, :, node],
    {"model": forecast[window, :, node]},
    horizon=STEP,
    unit="mph",
    title=f"Forecast and observed speed at {sensor}",
)

# %%
# Contributions to the forecast
# -----------------------------
# Integrated gradients with the historical average at this time of day as the baseline. All values are in mph, and they sum to
# the difference between this forecast and the forecast for the historical average.

known = speeds.iloc[train.covered]
average = known.groupby(known.index.time).mean()
baseline = torch.tensor(
    average.loc[[test.time_of(window, step).time() for step in range(12)]].to_numpy()
)
e = stx.explain(
    model,
    one,
    method="IntegratedGradients",
    baseline=baseline[None, :, :, None],
    target=stx.Forecast(sensor, STEP),
)
print(
    f"sum of contributions: {e.values.sum():.1f} mph; convergence delta: {float(e.extra['convergence_delta'][0]):.2f} mph"
)

# %%
# On the road network, with a slider over lags. Blue observations lowered the forecast.

stx.viz.road_network(e, minutes=5, unit="mph", marked={"forecast": [sensor]})

# %%
# As a heat map of sensors and lags, the most important sensor on top. Orange observations raised the forecast, blue ones
# lowered it; the last row sums all other sensors.

stx.viz.lag_map(e, minutes=5, unit="mph", nodes=12, marked={"forecast": [sensor]})

# %%
# The three observations that lowered it most, the bluest cells of single sensors, beside what is usual at that time of day. One
# above the usual was *fast*. Slowdowns on these roads begin so: behind an incident traffic thins out and runs faster than
# usual, while the queue grows against the traffic and reaches the next sensor upstream later.

lowered = pd.DataFrame(e.values[0, 0], columns=graph.nodes).stack().nsmallest(3)
pd.DataFrame(
    {
        "sensor": name,
        "minutes earlier": 5 * (11 - step),
        "contribution (mph)": value,
        "observed (mph)": float(one.x[0, 0, step, graph.index(name), 0]),
        "usual (mph)": float(baseline[step, graph.index(name)]),
    }
    for (step, name), value in lowered.items()
).round(1)

# %%
# Faithfulness
# ------------
# If these observations matter, replacing them by the historical average must move the forecast, and faster than replacing
# the same number at random.

from stexplain.metrics import deletion_curve

curve = deletion_curve(
    model,
    one,
    e,
    target=stx.Forecast(sensor, STEP),
    ranking="magnitude",
    repeats=10,
    baseline=baseline[None, :, :, None],
)
stx.viz.deletion(
    curve.to_frame("change"),
    score="mph",
    title="Change of the forecast as observations are masked",
)

# %%
# One command does all of this for many slowdowns and all methods, with scores against ground truth::
#
#     stexplain bench roads
#     stexplain bench roads --data DIR --card los-loop
