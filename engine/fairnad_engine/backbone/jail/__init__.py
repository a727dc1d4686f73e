"""The jail: the only place where a line of model-written Python runs.

A candidate is bytes that go in and bytes that come out. Inside is one forked process of an ordinary user with
no network, no other program, no writable folder but its scratch, and limits on everything; outside, nothing it
sends is believed.

* :mod:`client` (trusted): :class:`Jail` starts the zygote and turns each attempt into a :class:`JailResult`.
* :mod:`zygote` (trusted): has PyTorch imported, forks a child per attempt, keeps its deadline.
* :mod:`entry`: how a child confines itself, with one file per layer: :mod:`identity`, :mod:`limits`,
  :mod:`landlock`, :mod:`seccomp`.
* :mod:`child`: enters, does one task, replies.
* :mod:`probe`: which layers are live on this machine, found out by trying them.
"""

from __future__ import annotations

from fairnad_engine.backbone.jail.client import Jail
from fairnad_engine.backbone.jail.result import JailResult

__all__ = ["Jail", "JailResult"]
