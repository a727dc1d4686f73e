"""The jail's cost: first verdict on a broken candidate, entry, and the two exports of ResNet-32.

A broken candidate is one whose constructor fails, or whose network meets a shape error in forward. Its verdict in the
jail (request sent to result judged, the zygote warm) is held against a cold interpreter that does the same: import
torch, run the same task on the same source, print the failure. Both are taken in turns in one run.

``python -m bench.jail`` prints the figures; exit 1 where a target is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from fairnad_engine.backbone.jail import Jail
from fairnad_engine.llm.rules.seeds import seed_source

VERDICT_MS, COLD_RATIO, ENTRY_MS, EXPORT_S = 120.0, 25.0, 5.0, 4.0
_VERDICTS, _COLD_EVERY, _EXPORTS = 20, 5, 3
Row = tuple[str, str, str, bool]

_BROKEN = {
    "build": "self.head = nn.Linear(8, classes)",
    "forward": "self.head = nn.Linear(9, num_classes)",
}
_SOURCE = """
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 8, 3, padding=1)
        {head}

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))
"""
_COLD = """
import json, sys
from fairnad_engine.backbone.jailed import TASKS, CandidateError
try:
    TASKS["export"](json.load(sys.stdin), {})
except CandidateError as error:
    print(error.kind)
"""


def _payload(source: str) -> dict[str, Any]:
    return {"source": source, "shape": [3, 32, 32], "classes": 10, "width": 1.0, "seed": 0}


def _cold_seconds(payload: dict[str, Any], kind: str) -> float:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-c", _COLD], input=json.dumps(payload), capture_output=True, text=True, env=environment
    )
    seconds = time.perf_counter() - began
    if answer.stdout.strip() != kind:
        raise RuntimeError(f"the cold interpreter says {answer.stdout!r}, wanted {kind}: {answer.stderr[-500:]}")
    return seconds


def _broken(jail: Jail, kind: str, head: str) -> tuple[list[float], list[float]]:
    """Seconds of the jail's verdicts and of the cold interpreter's, taken in turns."""
    payload = _payload(_SOURCE.format(head=head))
    warm, cold = [], []
    for turn in range(_VERDICTS):
        began = time.perf_counter()
        result = jail.run("export", payload)
        warm.append(time.perf_counter() - began)
        if result.failure != kind:
            raise RuntimeError(f"the jail says {result.failure}, wanted {kind}: {result.message}")
        if turn % _COLD_EVERY == 0:
            cold.append(_cold_seconds(payload, kind))
    return warm, cold


def main() -> list[Row]:
    """Measure everything; name, figure, target and whether it was met."""
    rows: list[Row] = []
    with Jail() as jail:
        for kind, head in _BROKEN.items():
            warm, cold = _broken(jail, kind, head)
            verdict = statistics.median(warm)
            ratio = statistics.median(cold) / verdict
            name = f"verdict on a broken candidate ({kind})"
            rows.append(
                (f"{name}, p50 ms", f"{verdict * 1e3:.0f}", f"<= {VERDICT_MS:.0f}", verdict * 1e3 <= VERDICT_MS)
            )
            rows.append(
                (f"{name}, times faster than cold", f"{ratio:.0f}", f">= {COLD_RATIO:.0f}", ratio >= COLD_RATIO)
            )
        exports = [jail.run("export", _payload(seed_source("resnet32"))) for _ in range(_EXPORTS)]
        if failed := [result.message for result in exports if not result.ok]:
            raise RuntimeError(failed[0])
    with Jail(tasks_module="fairnad_engine.backbone.jail.trials") as jail:
        entered = [jail.run("identity", {}).entry_seconds for _ in range(_VERDICTS)]
    entry = statistics.median([result.entry_seconds for result in exports] + entered) * 1e3
    rows.append(("entering the jail, p50 ms", f"{entry:.1f}", f"<= {ENTRY_MS:.0f}", entry <= ENTRY_MS))
    seconds = statistics.median(result.seconds for result in exports)
    rows.append(("exports of ResNet-32, median s", f"{seconds:.2f}", f"<= {EXPORT_S:.0f}", seconds <= EXPORT_S))
    return rows


if __name__ == "__main__":
    measured = main()
    for name, figure, target, met in measured:
        print(f"{name:58} {figure:>8} {target:>8}  {'met' if met else 'MISSED'}")
    sys.exit(0 if all(met for *_, met in measured) else 1)
