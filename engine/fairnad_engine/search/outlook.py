"""The forecast of a run that is not started yet, from its settings and, where there is one, the seed's timing.

The seed is timed in a process of its own: it needs torch and its threads, which a program of screens has no use for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

from fairnad_engine.errors import FairnadError, InputError
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.costs import SeedTiming, before_start
from fairnad_engine.search.forecast import Forecast, forecast
from fairnad_engine.training.protocol import Protocol, load_protocol

_SECONDS = 300.0


def protocol_of(config: RunConfig) -> Protocol | None:
    """The protocol that settings name, None where it is not there."""
    try:
        return load_protocol(config.data.protocol)
    except FairnadError:
        return None


def look_ahead(config: RunConfig, timing: SeedTiming | None = None, why_not: str = "", *, gpus: int = 0) -> Forecast:
    """What a run with these settings would take; nothing is trained and nothing is timed.

    Args:
        config: The settings.
        timing: The seed, as it was timed here; None where it was not.
        why_not: Why not.
        gpus: Visible GPUs.
    """
    from fairnad_engine.workspace import seed_backbone_source

    try:
        source = seed_backbone_source(config.search.seed_backbone)
    except FairnadError:
        source = ""
    protocol = protocol_of(config)
    costs = before_start(config, timing, source, why_not)
    return forecast(config, costs, gpus=gpus, epochs=protocol.epochs if protocol else 1)


def time_seed_apart(config: RunConfig) -> SeedTiming:
    """Time the seed as :func:`fairnad_engine.search.costs.time_seed` does, in another process.

    Raises:
        InputError: It cannot be timed; the message says why.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fairnad_engine.search.outlook"],
            input=config.model_dump_json().encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"the seed backbone was not timed within {_SECONDS:.0f} seconds") from error
    try:
        reply = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise InputError(f"the process that times the seed backbone ended with code {done.returncode}") from error
    if "problem" in reply:
        raise InputError(str(reply["problem"]))
    return SeedTiming(**{**reply, "epochs": tuple(reply["epochs"])})


def _main() -> None:
    from fairnad_engine.search.costs import time_seed

    config = RunConfig.model_validate_json(sys.stdin.buffer.read())
    try:
        reply = asdict(time_seed(config))
    except FairnadError as error:
        reply = {"problem": str(error)}
    sys.stdout.write(f"\n{json.dumps(reply)}\n")


if __name__ == "__main__":
    _main()
