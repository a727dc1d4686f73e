"""What this machine offers and how busy it is, asked without importing torch."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class GpuLoad:
    """One NVIDIA GPU; memory in MiB, ``busy`` in percent, None where the driver does not tell."""

    name: str
    busy: int | None
    used: int
    total: int


@dataclass(frozen=True)
class MachineLoad:
    """Main memory in bytes, and the GPUs."""

    used: int
    total: int
    gpus: tuple[GpuLoad, ...]


@cache
def accelerators() -> tuple[str, ...]:
    """Names and sizes of the NVIDIA GPUs, by ``nvidia-smi``, asked once; empty where there is none."""
    return tuple(_ask_driver("name,memory.total", units=True))


def machine_load() -> MachineLoad:
    """How busy memory and GPUs are; takes up to seconds where there is a GPU, so ask off the event loop."""
    import psutil

    memory = psutil.virtual_memory()
    found = (_gpu(line) for line in _ask_driver("name,utilization.gpu,memory.used,memory.total", units=False))
    return MachineLoad(memory.total - memory.available, memory.total, tuple(gpu for gpu in found if gpu is not None))


def _gpu(line: str) -> GpuLoad | None:
    name, *numbers = (part.strip() for part in line.rsplit(",", 3))
    busy, used, total = (int(one) if one.isdigit() else None for one in numbers) if len(numbers) == 3 else [None] * 3
    return None if used is None or total is None else GpuLoad(name, busy, used, total)


def _ask_driver(fields: str, *, units: bool) -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        found = subprocess.run(
            [program, f"--query-gpu={fields}", "--format=csv,noheader" + ("" if units else ",nounits")],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.stdout.splitlines() if line.strip()]
