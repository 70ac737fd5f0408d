"""The road network of the planted roads: two highways that cross, both carriageways of each, and a parallel road."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

SPACING = 18.0
"""Distance from a sensor to the next, in km."""
RAMP = 0.6
"""The weight of a link that leaves one road for another; along a road it is 1."""


@dataclass(frozen=True)
class Network:
    """Sensors and the links between them, in the direction of travel.

    Attributes:
        sensors: N names.
        road: the road of each.
        links: (source, target, weight).
        positions: in km east and north, ``[N, 2]``.
        limits: the free speed of each in mph, ``[N]``.
        inbound: whether its morning peak is the higher one, ``[N]``.
    """

    sensors: tuple[str, ...]
    road: tuple[str, ...]
    links: tuple[tuple[int, int, float], ...]
    positions: NDArray[np.float64]
    limits: NDArray[np.float64]
    inbound: NDArray[np.bool_]

    def gains(self, gain: float) -> NDArray[np.float64]:
        """What spreads from the sensor of the row to that of the column: upstream, the gain times a link's weight."""
        matrix = np.zeros((len(self.sensors), len(self.sensors)))
        # Congestion spreads against the direction of travel, so source and target change places.
        for source, target, weight in self.links:
            matrix[target, source] = gain * weight
        return matrix

    def upstream(self, hops: int) -> Sequence[Sequence[tuple[int, int]]]:
        """For each sensor those that lie up to so many links before it, each with how many."""
        return self._upstream[hops - 1]

    @cached_property
    def _upstream(self) -> list[list[list[tuple[int, int]]]]:
        before: dict[int, list[int]] = {number: [] for number in range(len(self.sensors))}
        for source, target, _ in self.links:
            before[target].append(source)
        by_hops: list[list[list[tuple[int, int]]]] = []
        distances = [{number: 0} for number in before]
        # Breadth first, for all sensors together; five hops are the most that a generator asks for.
        for hops in range(1, 6):
            for reached in distances:
                for sensor in [sensor for sensor, at in reached.items() if at == hops - 1]:
                    for other in before[sensor]:
                        # Only the first visit counts: that is the shortest way.
                        reached.setdefault(other, hops)
            by_hops.append([[(sensor, at) for sensor, at in reached.items() if at] for reached in distances])
        return by_hops


def network() -> Network:
    """The network: 40 sensors on five roads.

    Example:
        >>> roads = network()
        >>> len(roads.sensors), sorted(set(roads.road))
        (40, ['A east', 'A west', 'B north', 'B south', 'C east'])
    """
    # Name, sensors, position of the first, direction, speed limit, whether its morning peak is the higher one.
    plan = [
        ("A east", 9, (-72.0, -0.6), (1, 0), 65.0, True),
        ("A west", 9, (72.0, 0.6), (-1, 0), 65.0, False),
        ("B north", 8, (0.6, -63.0), (0, 1), 60.0, True),
        ("B south", 8, (-0.6, 63.0), (0, -1), 60.0, False),
        ("C east", 6, (-39.6, -18.0), (1, 0), 45.0, True),
    ]
    sensors, road, positions, limits, inbound, links = [], [], [], [], [], []
    for name, count, start, way, limit, morning in plan:
        for number in range(count):
            if number:
                links.append((f"{name} {number}", f"{name} {number + 1}", 1.0))
            sensors.append(f"{name} {number + 1}")
            road.append(name)
            positions.append([start[axis] + number * SPACING * way[axis] for axis in (0, 1)])
            limits.append(limit)
            inbound.append(morning)
    # The highways cross between their sensors 4 and 6; C leaves A east after its sensor 2 and comes back before 8.
    ramps = [
        ("A east 5", "B north 5"),
        ("B north 4", "A west 6"),
        ("A west 5", "B south 5"),
        ("B south 4", "A east 6"),
        ("A east 2", "C east 1"),
        ("C east 6", "A east 8"),
    ]
    links += [(source, target, RAMP) for source, target in ramps]
    index = {name: number for number, name in enumerate(sensors)}
    return Network(
        tuple(sensors),
        tuple(road),
        tuple((index[source], index[target], weight) for source, target, weight in links),
        np.array(positions),
        np.array(limits),
        np.array(inbound),
    )
