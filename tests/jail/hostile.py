"""What a hostile module is: a backbone that would be honest, but for a few lines at one place.

It goes through the very task that real candidates go through. Needs nothing but the standard library, because the
same list is run by an ordinary user's interpreter.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

SHAPE, CLASSES = [3, 8, 8], 10

_PRELUDE = """
import ctypes, errno, os, signal, socket, struct, sys, threading, time
import torch
from torch import nn

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(number, *arguments):
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""

_BACKBONE = """

class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 8, 3, padding=1)
        self.head = nn.Linear(8, num_classes)
        {init}

    def forward(self, x):
        {forward}
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))
"""


@dataclass(frozen=True)
class Module:
    """One hostile module.

    Attributes:
        name: What it tries.
        code: The hostile lines. ``GUARD``, ``SECRET``, ``CLIENT`` and ``PORT`` are in their scope.
        ends: The failure classes it may end in.
        where: Where the lines stand: ``import``, ``init`` or ``forward``.
        limits: Limits that differ from the jail's.
    """

    name: str
    code: str
    ends: frozenset[str]
    where: str = "import"
    limits: dict[str, Any] = field(default_factory=dict)

    def source(self, given: dict[str, Any]) -> str:
        """Return the module's text, with what it aims at written into it."""
        code = textwrap.dedent(self.code).strip()
        constants = "".join(f"{name} = {value!r}\n" for name, value in given.items())
        text = constants + _PRELUDE + (f"\n{code}\n" if self.where == "import" else "") + _BACKBONE
        for place in ("init", "forward"):
            lines = textwrap.indent(code, " " * 8).strip() if self.where == place else "pass"
            text = text.replace("{" + place + "}", lines)
        return text


def module(name: str, ends: str, code: str, where: str = "import", **limits: Any) -> Module:
    """Return a module that ends in one of the classes of ``ends``."""
    return Module(name, code, frozenset(ends.split()), where, limits)


def request(hostile: Module, given: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of the ``export`` task for a module."""
    return {"source": hostile.source(given), "shape": SHAPE, "classes": CLASSES, "width": 1.0, "seed": 0}


def verdict(hostile: Module, result: Any) -> str:
    """Return the empty string where the module ended as it must, else what it came to."""
    if result.ok or result.failure not in hostile.ends:
        return f"ended as {result.failure or 'a reply'}: {result.message[:300]}"
    return "" if result.message else "no message"
