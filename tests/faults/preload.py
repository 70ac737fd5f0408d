"""What the works import: the server that forks them has it all, so that a process begins with its work."""

import tests.bench.small_experiment
import tests.bench.small_roads
import tests.data.skeleton_files  # noqa: F401
