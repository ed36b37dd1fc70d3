"""Sums over steps, until a line of the log or a checkpoint asks for their means."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from vis.training.log import Line, peak_memory

if TYPE_CHECKING:
    from vis.training.ranks import Ranks
    from vis.training.state import State
    from vis.training.step import Report


class Meter:
    """The sums of one process; forgets what a line has shown.

    Args:
        ranks: the processes whose means a line tells.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self.bad = 0
        """Steps in a row that were left out."""
        self._losses: list[float] = []
        self._restart()

    def _restart(self) -> None:
        self._good: list[Report] = []
        self._steps, self._lost, self._wait = 0, 0, 0.0
        self._start_time = time.perf_counter()

    def add(self, report: Report) -> None:
        """One more step."""
        self._steps += 1
        self._wait += report.wait
        self._lost += report.lost
        self.bad = self.bad + 1 if report.bad else 0
        if not report.bad:
            self._good.append(report)
            self._losses.append(sum(report.terms.values()))

    def leave_out(self, seconds: float) -> None:
        """So much time went by beside the steps."""
        self._start_time += seconds

    def line(self, state: State) -> Line:
        """Means over steps and processes; every process asks at the same step."""
        names = sorted({name for report in self._good for name in report.terms})
        rows = [[*(report.terms[name] for name in names), report.norm] for report in self._good]
        # float64: sums over thousands of steps in float32 would drift; without a good step, NaN
        means = torch.tensor(rows or [[float("nan")]], dtype=torch.float64).mean(0)
        *values, norm = self._ranks.mean(means.to(self._ranks.device)).tolist()
        line = Line(
            step=state.step,
            loss=sum(values) if values else float("nan"),
            terms=dict(zip(names, values, strict=True)),
            norm=norm,
            # the backbone's is the lower one by custom, so the largest is that of the rest
            lr=max(group["lr"] for group in state.optimiser.param_groups),
            seconds=(time.perf_counter() - self._start_time) / max(1, self._steps),
            wait=self._wait / max(1, self._steps),
            memory=peak_memory(self._ranks.device),
            skipped=self._steps - len(self._good),
            replaced=self._lost,
        )
        self._restart()
        return line

    def score(self) -> float | None:
        """Minus the mean loss since it was last asked, of this process; None without a step."""
        # of this process alone: only the first one's is written
        losses, self._losses = self._losses, []
        return -sum(losses) / len(losses) if losses else None
