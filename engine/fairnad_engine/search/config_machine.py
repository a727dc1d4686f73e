"""How a run uses the machine that it runs on: the ``[machine]`` section of a configuration file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from fairnad_engine.on_finish import split_command
from fairnad_engine.search.config_search import Section
from fairnad_engine.training.ray_cluster import check_executor

LATER = {"executor": "local", "verify_on": "worker"}
"""Settings of ``[machine]`` that are written only where they are not at their default."""
DeviceName = Annotated[str, Field(pattern=r"^(cpu|cuda:\d{1,3})$")]


class MachineSection(Section):
    """How a run uses this machine; changes nothing of its outcome on the CPU.

    On a GPU scores depend on its kernels and on ``precision`` by rounding, so they are those of that kind of device.

    Attributes:
        workers: Trainings at a time on the CPU, one thread each.
        devices: ``auto`` (every visible GPU, or the CPU where there is none) or names: ``cpu``, ``cuda:0`` ...
        streams: Trainings at a time on each GPU; ``auto`` finds how many fit and pay.
        queue: Whether a run waits in line while others have its devices; otherwise it ends at once.
        max_workers_total: Trainings at a time on this machine's CPU, all runs of the workspace together, beyond which
            this run waits; 0 for any number.
        reserve_gib: GiB kept free on each GPU, for a model server.
        precision: ``fp32`` (strict: no TF32) or ``bf16`` (autocast); on the CPU always ``fp32``.
        checkpoint_seconds: Seconds between two checkpoints of an unfinished training; 0 writes one after each epoch.
        latency_rounds: Timed passes of the trained network at batch 1 and 256, as a further cost; 0 for none.
        training_deadline: Seconds after which one training is given up.
        accept_weak_jail: Run model-written code although a layer of the jail is missing.
        on_finish: Command that is run when a job ends, without a shell; empty for none.
        executor: ``local``, or a Ray cluster: ``ray`` (that of ``$RAY_ADDRESS``, else one on this machine alone),
            ``ray:auto`` (of which this machine is a node) or ``ray:HOST:PORT``. There ``workers`` is the most trainings
            at a time on CPUs, ``devices`` is ``auto`` or ``cpu``, and ``streams = "auto"`` is the paper's two on a GPU.
        verify_on: ``worker``, or ``ray``: where a cluster trains, model-written code runs in jails on its nodes too.
    """

    workers: int = Field(default=2, ge=1, le=256)
    devices: Literal["auto"] | tuple[DeviceName, ...] = "auto"
    streams: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = "auto"
    queue: bool = True
    max_workers_total: int = Field(default=0, ge=0, le=4096)
    reserve_gib: float = Field(default=0.0, ge=0, le=1000)
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    latency_rounds: int = Field(default=0, ge=0, le=10_000)
    training_deadline: float = Field(default=3600.0, gt=0)
    accept_weak_jail: bool = False
    on_finish: str = Field(default="", max_length=4000)
    executor: Annotated[str, Field(max_length=300), AfterValidator(check_executor)] = "local"
    verify_on: Literal["worker", "ray"] = "worker"

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is newer than stored runs and says nothing."""
        dumped: dict[str, Any] = dump(self)
        return {name: value for name, value in dumped.items() if LATER.get(name) != value}

    @field_validator("on_finish")
    @classmethod
    def _a_command(cls, command: str) -> str:
        split_command(command)
        return command
