"""What this machine offers, asked without importing torch."""

from __future__ import annotations

import shutil
import subprocess


def accelerators() -> list[str]:
    """Names of the NVIDIA GPUs, by ``nvidia-smi``; empty where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        found = subprocess.run(
            [program, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.stdout.splitlines() if line.strip()]
