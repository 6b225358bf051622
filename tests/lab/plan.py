# SPDX-License-Identifier: GPL-2.0-only
"""What a run of the lab measures, and for how long."""

import dataclasses

SHARES = (1, 10, 100)  # percent of the connections that are active


@dataclasses.dataclass(frozen=True)
class Point:
    """So many of the connections send, each thinking so long between two messages."""
    connections: int
    active: int
    think_us: int = 0

    def name(self):
        said = f"{self.connections:,} connections, {self.active:,} active"
        return f"{said}, thinking {self.think_us / 1000:g} ms" if self.think_us else said


@dataclasses.dataclass(frozen=True)
class Plan:
    connections: tuple
    rounds: int
    warm_ms: int
    measure_ms: int
    watch_s: float
    watched: object  # of a point: whether iophase looks at it
    recognised_at: int  # connections: there, or at fewer, iophase is asked what model it sees
    scan_largest: int
    ctl_largest: int
    budget_s: int  # no point is begun after that
    limit_s: int   # and the run is ended here
    paced: dict = dataclasses.field(default_factory=dict)  # connections -> think_us

    def points(self, connections):
        actives = dict.fromkeys(max(1, connections * share // 100) for share in SHARES)
        points = [Point(connections, active) for active in actives]
        if connections in self.paced:
            points.append(Point(connections, connections, self.paced[connections]))
        return points


# Paced: 2,000 requests a second in all, by every connection in turn.
FULL = Plan(connections=(1, 10, 100, 1000, 9000), rounds=3, warm_ms=100, measure_ms=400,
            watch_s=0.5, watched=lambda point: True, recognised_at=10,
            scan_largest=10000, ctl_largest=100000,
            budget_s=1020, limit_s=1190, paced={100: 50000, 1000: 500000})

QUICK = Plan(connections=(1, 100, 1000), rounds=1, warm_ms=30, measure_ms=120, watch_s=0.2,
             watched=lambda point: point == Point(100, 100), recognised_at=0,
             scan_largest=1000, ctl_largest=10000,
             budget_s=95, limit_s=118)
