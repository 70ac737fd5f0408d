"""Readers of files: one module per format on disk, all of a kind with the same interface.

A card names its reader by import path, so a reader of one's own is a module anywhere.

- Of **recordings** (`ntu_skeleton`, `nw_ucla`, `planted_graph`): ``find(root, card) -> list[RecordingFile]`` lists a
  folder's recordings by their names alone, and ``read(path) -> Recording`` reads one.
- Of **series** (`basicts`, `largest`, `metr_la_h5`, `pems_npz`, `speeds_csv`, `tgcn_csv`):
  ``read(where, card) -> SeriesFile`` reads values, times and graph from a folder, or from a file in it.

A reader raises `DataError`, which names the file, the line or array, and the remedy, and nothing else: one broken
recording of fifty thousand is excluded by it. No reader unpickles, so no file can run code.

What several readers share has modules of its own: `number_table` (CSV), `road_graph` (the network beside the values)
and `dcrnn_pickle` (an adjacency, from a pickle that is interpreted under restrictions).
"""
