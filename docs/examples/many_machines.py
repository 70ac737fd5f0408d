"""
Many machines: the same numbers, faster
=======================================

A store, a training and a measure of every clip: on one core, on several, or on a cluster. This page runs each command with
two processes of the machine that builds it; on a cluster only the words behind ``--engine`` and ``torchrun`` change. The
numbers do not.
"""

# %%
# Commands
# --------
# They run in a shell of their own, as one types them.

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

folder = Path(tempfile.mkdtemp())


def shell(command: str) -> None:
    """Runs a command in the folder, and shows what it writes."""
    program, *words = shlex.split(command)
    module = {
        "stexplain": ["-m", "stexplain"],
        "torchrun": ["-m", "torch.distributed.run"],
    }
    done = subprocess.run(
        [sys.executable, *module.get(program, []), *words], cwd=folder, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
    )  # fmt: skip
    print(done.stdout.strip())
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}")


# %%
# Recordings
# ----------
# A file of keypoints for each: bodies whose legs swing, the right one of every second person hardly.

import stexplain as stx

random = np.random.default_rng(0)
graph = stx.STGraph.skeleton("coco-17")
walks, about = folder / "walks", []
walks.mkdir()
for person in range(8):
    limps = person % 2 == 1
    for number in range(4):
        wave = np.sin(2 * np.pi * (np.arange(32) / 16 + random.random()))
        table = {"frame": np.arange(32)}
        for node, (right, up) in zip(graph.nodes, graph.positions, strict=True):
            swing = (
                0.3 * node.endswith(("knee", "ankle")) * (1 if "left" in node else -1)
            )
            swing *= 0.2 if limps and "right" in node else 1.0
            name = node.replace(" ", "_")
            table[f"{name}_x"] = right + swing * wave + 0.02 * random.normal(size=32)
            table[f"{name}_y"] = up + 0.02 * random.normal(size=32)
        pd.DataFrame(table).to_csv(walks / f"P{person}-{number}.csv", index=False)
        about.append(
            (f"P{person}-{number}", "limping" if limps else "usual", f"P{person}")
        )
labels = pd.DataFrame(about, columns=["file", "label", "subject"])
labels.to_csv(folder / "labels.csv", index=False)

# %%
# A store
# -------
# Recordings are read once. ``--workers`` processes read them side by side; with ``--engine ray`` they are those of a cluster.

shell(
    "stexplain data prepare skeletons walks --labels labels.csv --graph coco-17 --out store --workers 2"
)

# %%
# Training in two processes
# -------------------------
# The script is that of one process. Each takes its share of every batch, and every sample is used once;
# ``share_statistics`` makes the training that of one process, up to rounding.

(folder / "train.py").write_text("""
import os
import torch
import stexplain as stx
from stexplain.cards import model_card
from stexplain.nn import save_model

recipe = model_card("stgcn2").recipe("quick").model_copy(update={"frames": 32, "epochs": 40, "batch": 8})
train = stx.load_dataset("store", split="by-subject/train", recipe=recipe)
torch.manual_seed(0)
model = stx.load_model("stgcn2", graph=train.graph, classes=train.classes, channels_in=2, recipe=recipe)
stx.fit(model, train, recipe=recipe, share_statistics=True, accelerator="cpu", progress=False)
if os.environ["RANK"] == "0":
    save_model("model", model, seed=0)
""")
shell("torchrun --standalone --nproc-per-node 2 train.py")

# %%
# Of eight machines with four processes each, all of which see the folder, it is::
#
#     torchrun --nnodes 8 --nproc-per-node 4 --rdzv-endpoint FIRST:29500 train.py

# %%
# A measure of every clip
# -----------------------
# The importance of each joint per class. Clips are explained in parts of 512, and each part is a file: a call that was
# killed resumes with those that are missing.

shell(
    "stexplain measure model importance --card store --data store --split by-subject/test --workers 2 --out importance"
)

# %%
# The table on the body:

table = pd.read_csv(folder / "importance" / "class_importance.csv", index_col=0)
stx.viz.class_bodies(table, graph)

# %%
# These eight clips are one part. In Python a part may be smaller; several processes then find what one finds, to the bit:

(folder / "measure.py").write_text("""
import stexplain as stx

if __name__ == "__main__":  # other processes import this file
    clips = stx.load_dataset("store", split="by-subject/test")
    measure = stx.metrics.dataset.class_importance
    one = measure("model", clips, out="one", part=2)
    two = measure("model", clips, out="two", part=2, workers=2)
    print("the same numbers:", one.to_frame().equals(two.to_frame()))
    print(one.to_frame().round(4).T.sort_values("limping", ascending=False).head(4))
""")
shell("python measure.py")

# %%
# On a cluster, where ``ray start`` has run on each machine, it is the first command with another engine. A part whose
# machine is lost is computed by another::
#
#     RAY_ADDRESS=auto stexplain measure model importance --card store --data store --engine ray --out importance
#
# What resumes, what each step costs, and what to expect of 8 and of 64 machines: :doc:`/machines`.
