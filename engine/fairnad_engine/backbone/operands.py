"""What an operation may be given when the trusted side runs a graph without data.

Tensors on ``meta`` take no room whatever their sizes, but numbers, lists and pieces do, and that process has no limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fairnad_engine.backbone.graph import MAX_INTEGER, GraphRefusedError

MAX_PIECES = 4096
_SPLITS = {
    "aten.unbind.int": ("self", "dim"),
    "aten.split.Tensor": ("self", "split_size", "dim"),
    "aten.chunk.default": ("self", "chunks", "dim"),
}


def check_operands(op: str, given: Sequence[Any], named: dict[str, Any]) -> None:
    """Refuse arithmetic on anything but bounded whole numbers, and a tensor taken into too many pieces.

    Args:
        op: Name of the operation.
        given: Its positional arguments, references replaced by values.
        named: Its keyword arguments likewise.

    Raises:
        GraphRefusedError: The operands are beyond the bounds.
    """
    if op.startswith("py.") and op != "py.getitem":
        for operand in (*given, *named.values()):
            if type(operand) is not int or abs(operand) > MAX_INTEGER:
                raise GraphRefusedError(f"{op} of what is no whole number of 64 bits")
    if op in _SPLITS and _pieces(op, dict(zip(_SPLITS[op], given, strict=False)) | named) > MAX_PIECES:
        raise GraphRefusedError(f"{op} makes more than {MAX_PIECES} pieces")


def _pieces(op: str, given: dict[str, Any]) -> int:
    size = int(given["self"].shape[given.get("dim", 0)])
    if op == "aten.split.Tensor":
        return math.ceil(size / max(1, int(given["split_size"])))
    return min(size, int(given["chunks"])) if "chunks" in given else size
