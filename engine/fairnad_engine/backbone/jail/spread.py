"""Jails on the nodes of a Ray cluster: a source in, bytes out, and nothing believed, as on this machine.

Each node that trains has one actor, which does nothing but run its jail: it loads no data set, it trains nothing, and
what runs in its children is held by the same layers, which the node must have. A node whose kernel lacks one is left
out. What comes back is judged by the worker as if its own jail had given it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from fairnad_engine.backbone.jail.client import Jail
from fairnad_engine.backbone.jail.result import JailResult
from fairnad_engine.errors import FairnadError, JailError, MachineFaultError

_SIDE_BY_SIDE = 4  # attempts on a node
_TRIES = 5  # of one attempt that nodes took along
_Reply = tuple[str, JailResult | str]


class JailOnNode:
    """The actor: one jail, entered where Ray put it."""

    def __init__(self, accept_weak: bool) -> None:
        self._jail = Jail(accept_weak=accept_weak)

    def enter(self) -> str:
        """Begin; why not, in one line, or nothing."""
        try:
            self._jail.__enter__()
        except FairnadError as error:
            return str(error)
        return ""

    def run(self, task: str, payload: dict[str, Any], blobs: dict[str, bytes]) -> _Reply:
        """Do one task in a fresh child; an error of the jail itself is its class's name and its message."""
        try:
            return "", self._jail.run(task, payload, blobs)
        except FairnadError as error:
            return type(error).__name__, str(error)


class SpreadJail:
    """Stands where :class:`fairnad_engine.backbone.jail.client.Jail` stands; the cluster has been joined before.

    Args:
        accept_weak: Run although a layer of the minimum is missing on a node.

    Raises:
        JailError: On entry: no node has what the jail needs.
    """

    def __init__(self, *, accept_weak: bool = False) -> None:
        self._accept_weak = accept_weak
        self._lock = threading.Lock()
        self._actors: dict[str, Any] = {}
        self._refused: dict[str, str] = {}
        self._at_work: dict[str, int] = {}
        self._closed = False

    def __enter__(self) -> Self:
        with self._lock:
            self._enter_new_nodes()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the actors, and with them their zygotes and attempts."""
        import ray

        with self._lock:
            self._closed = True
            actors, self._actors = self._actors, {}
        if ray.is_initialized():  # else they ended when the cluster was left
            for actor in actors.values():
                ray.kill(actor)

    def run(self, task: str, payload: dict[str, Any], blobs: Mapping[str, bytes] | None = None) -> JailResult:
        """Do one task on the node that has least to do, and on another where that one is lost.

        Raises:
            JailError: The jail itself failed (never the candidate's doing), or was closed.
            MachineFaultError: A node's disk is full.
        """
        import ray

        for _ in range(_TRIES):
            node, actor = self._take()
            try:
                kind, found = ray.get(actor.run.remote(task, payload, dict(blobs or {})))
            except ray.exceptions.RayError:
                self._drop(node)
                continue
            finally:
                self._give_back(node)
            if isinstance(found, JailResult):
                return found
            raise (MachineFaultError if kind == MachineFaultError.__name__ else JailError)(f"node {node[:8]}: {found}")
        raise JailError(f"{_TRIES} nodes were lost with an attempt; look after the cluster, then resume")

    def _take(self) -> tuple[str, Any]:
        with self._lock:
            if self._closed:
                raise JailError("the jail is closed; use it inside its `with` block")
            if not self._actors:
                self._enter_new_nodes()
            node = min(self._actors, key=lambda one: (self._at_work.get(one, 0), one))
            self._at_work[node] = self._at_work.get(node, 0) + 1
            return node, self._actors[node]

    def _give_back(self, node: str) -> None:
        with self._lock:
            self._at_work[node] -= 1

    def _drop(self, node: str) -> None:
        with self._lock:
            self._actors.pop(node, None)

    def _enter_new_nodes(self) -> None:
        """Start a jail on each node that trains and has none yet.

        Raises:
            JailError: There is none in the end.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        entering = {}
        for one in ray.nodes():
            name = one["NodeID"]
            if one["Alive"] and one["Resources"].get("CPU", 0) >= 1 and name not in {**self._actors, **self._refused}:
                here = NodeAffinitySchedulingStrategy(name, soft=False)
                made = ray.remote(JailOnNode).options(
                    num_cpus=0, scheduling_strategy=here, max_concurrency=_SIDE_BY_SIDE, max_restarts=0
                )
                actor = made.remote(self._accept_weak)
                entering[name] = (actor, actor.enter.remote())
        for name, (actor, entered) in entering.items():
            try:
                problem = ray.get(entered)
            except ray.exceptions.RayError as error:
                problem = f"node {name[:8]} was lost: {type(error).__name__}"
            if problem:
                self._refused[name] = problem
                ray.kill(actor)
            else:
                self._actors[name] = actor
        if not self._actors:
            reason = next(iter(self._refused.values()), "it has no node with a core for trainings")
            raise JailError(f"no node of the Ray cluster runs the jail: {reason}")
