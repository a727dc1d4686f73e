"""A Ray cluster as the driver of a run sees it: joined or started, its nodes and their load, and left.

Ray is imported here, in functions, and nowhere else before a run asks for it. ``ray`` is the cluster that
``$RAY_ADDRESS`` names, else one of the run's own on this machine, bound to 127.0.0.1; ``ray:auto`` is the cluster of
which this machine is a node, ``ray:HOST:PORT`` that of a head node.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.activity import NodeLoad
from fairnad_engine.errors import InputError

INSTALL = "pip install 'fairnad-tui[ray]'"
_FORM = re.compile(r"ray(?::(?:(auto)|(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})))?")
_HELLO_SECONDS = 3.0
_LOOPBACK = ("127.", "localhost", "[::1]")
# Read when Ray is imported: without it Ray replaces 127.0.0.1 by the machine's outer address, and listens there.
_ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@dataclass(frozen=True)
class Node:
    """One machine of a cluster.

    Attributes:
        id: Ray's name of it.
        seen: What it offers and what is used of it, as screens are shown it; trainings are not counted in.
        port: Of its own process, by which one finds out whether it lives.
    """

    id: str
    seen: NodeLoad
    port: int


def check_executor(text: str) -> str:
    """Read the setting ``[machine] executor``.

    Raises:
        ValueError: It is none.
    """
    found = _FORM.fullmatch(text)
    if text == "local" or (found and int(found[3] or 1) in range(1, 65_536)):
        return text
    raise ValueError(f"{text!r} is no executor; write local, ray, ray:auto or ray:HOST:PORT")


def check_reachable(executor: str) -> None:
    """Find out, without importing Ray, what would keep a run from its cluster.

    Raises:
        InputError: Ray is not installed, or no cluster answers.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError(f"machine.executor: {executor} needs Ray, which is not installed; install it with: {INSTALL}")
    address = address_of(executor)
    if address is None:
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_HELLO_SECONDS).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"machine.executor: no Ray cluster answers at {address} ({error}); start its head with: "
            f"ray start --head --port={port}, or name another address, or ray for one on this machine"
        ) from error


def address_of(executor: str) -> str | None:
    """HOST:PORT of the cluster's head, or None where the run starts a cluster of its own.

    Raises:
        InputError: The cluster of this machine is asked for, and there is none.
    """
    _, _, named = executor.partition(":")
    if named not in ("", "auto"):
        return named
    if given := os.environ.get("RAY_ADDRESS"):
        return given
    if not named:
        return None
    with suppress(OSError):
        return Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster").read_text("ascii").strip()  # noqa: S108
    raise InputError(
        "machine.executor: this machine is a node of no Ray cluster; join one with: ray start --address=HOST:PORT, or "
        "name its head: ray:HOST:PORT"
    )


class Cluster:
    """The cluster that this process has joined; one at a time."""

    def __init__(self, executor: str, cpus: int) -> None:
        """Join the cluster, or start one; takes seconds.

        Args:
            executor: As in ``[machine] executor``.
            cpus: Cores that a cluster of the run's own offers.

        Raises:
            InputError: There is no such cluster, or it runs another version.
        """
        check_reachable(executor)
        address = address_of(executor)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address is None or address.startswith(_LOOPBACK):
            os.environ[_ON_LOOPBACK] = "0"
        with _own_signals():
            import ray

            self._folder: str | None = None
            options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "namespace": "fairnad"}
            if address is None:
                # A short path, because sockets lie below it, that no other user may enter.
                self._folder = tempfile.mkdtemp(prefix="fairnad-ray-", dir="/tmp")
                options |= {"num_cpus": cpus, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
                options["_temp_dir"] = self._folder
            try:
                ray.init(address=address or "local", **options)
            except Exception as error:
                raise InputError(explain(str(error), address)) from error

    def nodes(self) -> list[Node]:
        """Every node there is or was, with its load."""
        import ray
        from ray._private import state

        free = state.available_resources_per_node()
        return [_node(one, free.get(one["NodeID"])) for one in ray.nodes()]

    def answers(self, node_id: str) -> bool:
        """Whether a node lives, asked of itself: its head finds out later."""
        found = next((one for one in self.nodes() if one.id == node_id), None)
        if found is None or not found.seen.alive:
            return False
        try:
            socket.create_connection((found.seen.address, found.port), timeout=_HELLO_SECONDS).close()
        except OSError:
            return False
        return True

    def leave(self) -> None:
        """Leave the cluster, which ends what this process runs there; one of its own ends too."""
        import ray

        ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def explain(told: str, address: str | None) -> str:
    """What Ray said about a cluster that could not be joined, in one line with the remedy."""
    where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
    if "ersion mismatch" in told:
        pairs = re.findall(r"(Ray|Python): (\S+)", told)
        theirs, ours = (" and ".join(" ".join(pair) for pair in pairs[part]) for part in (slice(2), slice(2, 4)))
        return (
            f"machine.executor: {where} runs {theirs}, this process {ours}; start the cluster from the same "
            "environment as the program"
        )
    if "node to connect" in told:
        join = f"ray start --address={address} --num-cpus=0"
        return f"machine.executor: this machine is no node of {where}; join it with: {join}"
    if "Failed to connect" in told:  # although something answers there
        return (
            f"machine.executor: {where} lets nobody in; where it asks for a token set RAY_AUTH_MODE=token and "
            f"RAY_AUTH_TOKEN as it has them, else see whether it is one: ray status --address={address}"
        )
    lines = told.strip().splitlines() or ["no reason given"]
    return f"machine.executor: {where} could not be joined: {lines[0][:300]}"


def _node(told: dict[str, Any], free: dict[str, float] | None) -> Node:
    offers = told["Resources"] if told["Alive"] else {}
    cpus, gpus = float(offers.get("CPU", 0)), float(offers.get("GPU", 0))
    left = free or {}
    seen = NodeLoad(
        address=told["NodeManagerAddress"],
        alive=bool(told["Alive"]),
        cpus=cpus,
        cpus_used=cpus - float(left.get("CPU", 0)) if free is not None else 0.0,
        gpus=gpus,
        gpus_used=gpus - float(left.get("GPU", 0)) if free is not None else 0.0,
    )
    return Node(told["NodeID"], seen, port=int(told["NodeManagerPort"]))


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's own answer to SIGTERM, which Ray replaces."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
            signal.siginterrupt(signal.SIGTERM, False)
