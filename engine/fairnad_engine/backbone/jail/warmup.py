"""What the zygote loads before it forks, so that a child need not.

``torch.export`` imports several hundred modules on first use. The zygote may not run it: after a tensor operation
a fork can hang. So a trusted first child runs it once and tells which modules came in.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from fairnad_engine.processes import die_with_parent

_MOST_BYTES = 1 << 20


def export_something() -> None:
    """Use, once, what the export of a backbone uses: build, backward, export in both modes, serialisation."""
    import torch
    from torch import nn

    with suppress(ImportError):
        importlib.import_module("safetensors.torch")
    torch.set_num_threads(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    images = torch.randn(4, 3, 8, 8)
    torch.autograd.backward(nn.functional.cross_entropy(net(images), torch.zeros(4, dtype=torch.long)))
    for training in (True, False):
        batch = torch.export.Dim("batch", min=2, max=4096)
        torch.export.export(net.train(training), (images,), dynamic_shapes=({0: batch},), strict=False)


def modules_used_by(action: Callable[[], None]) -> list[str]:
    """Run ``action`` in a fork and return the modules that it brought in, in order of import.

    Raises:
        RuntimeError: The fork was killed, and so was a second one. Without these modules a candidate would import
            them inside the jail, and be blamed for what they do there.
    """
    for _ in range(2):
        said, status = _in_a_fork(action)
        if not os.WIFSIGNALED(status):
            return [str(name) for name in json.loads(said)] if said else []
    raise RuntimeError(f"a trial export was killed by signal {os.WTERMSIG(status)}, most likely for its memory")


def _in_a_fork(action: Callable[[], None]) -> tuple[bytes, int]:
    """What the fork said, and how it ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _report(action, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read(_MOST_BYTES)
    return said, os.waitpid(child, 0)[1]


def _report(action: Callable[[], None], writer: int) -> None:
    try:
        die_with_parent()
        before = set(sys.modules)
        action()
        new = [name for name in sys.modules if name not in before]
        os.write(writer, json.dumps(new).encode()[:_MOST_BYTES])
    finally:
        os._exit(0)


def import_all(names: list[str]) -> None:
    """Import modules by name; one that cannot be imported by itself is left to the child."""
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
