"""Which devices train, and how many trainings each takes, as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fairnad_engine.errors import InputError

_GIB = 2**30


@dataclass(frozen=True)
class Device:
    """One place to train.

    Attributes:
        name: ``cpu`` or ``cuda:N``.
        streams: Trainings at a time; None lets measured memory and speed decide.
        reserved: Bytes of its memory that are kept free for others, such as a model server.
    """

    name: str
    streams: int | None
    reserved: int = 0


def choose_devices(
    wanted: Literal["auto"] | Sequence[str],
    *,
    workers: int,
    streams: Literal["auto"] | int = "auto",
    reserve_gib: float = 0.0,
    gpus: int | None = None,
) -> tuple[Device, ...]:
    """Turn settings into devices.

    Args:
        wanted: Names, or ``auto``: every GPU that is visible, or the CPU where there is none.
        workers: Trainings at a time on the CPU, one thread each.
        streams: Trainings at a time on each GPU.
        reserve_gib: Memory kept free on each GPU.
        gpus: Number of visible GPUs; None asks.

    Raises:
        InputError: A GPU is named that is not there.
    """
    asks = wanted == "auto" or any(name != "cpu" for name in wanted)
    found = gpus if gpus is not None else _visible_gpus() if asks else 0
    names = wanted if wanted != "auto" else [f"cuda:{index}" for index in range(found)] or ["cpu"]
    for name in names:
        if name != "cpu" and int(name.removeprefix("cuda:")) >= found:
            there = f"{found} GPU{'s' if found != 1 else ''}"
            raise InputError(f"machine.devices: {name} is not there, this machine shows {there}; name others or auto")
    fixed = None if streams == "auto" else streams
    return tuple(
        Device("cpu", workers) if name == "cpu" else Device(name, fixed, int(reserve_gib * _GIB))
        for name in dict.fromkeys(names)
    )


def check_on_cluster(wanted: Literal["auto"] | Sequence[str]) -> bool:
    """Whether a cluster's GPUs may be used, where it has some; it gives them out itself.

    Raises:
        InputError: GPUs are named.
    """
    if wanted != "auto" and any(name != "cpu" for name in wanted):
        raise InputError("machine.devices: a Ray cluster gives out its GPUs itself; write auto, or cpu to use none")
    return wanted == "auto"


def _visible_gpus() -> int:
    """GPUs that torch can use, counted through the driver without opening one."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
