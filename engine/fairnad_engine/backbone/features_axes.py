"""What each axis of a value stands for: followed through views, permutations and reductions.

An axis is a row of factors, outermost first. A factor says which axis of a feature map it came from (batch ``N``,
channels ``C``, height ``H``, width ``W``; ``S`` for positions mixed by a layer; ``U`` unknown), its size, and its
stride on that axis. A map cut into windows thus shows height on two axes, shuffled channels have their strides out of
order, and space moved into channels has height inside the channel axis - however the author spelled it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Shape = tuple[int, ...]
SPACE = frozenset("HWS")


class Factor(NamedTuple):
    """A part of an axis."""

    tag: str
    size: int
    stride: int


Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]


def axis(tag: str, size: int) -> Axis:
    """A whole axis; one of size 1 says nothing."""
    return (Factor(tag, size, 1),) if size > 1 else ()


def standard(shape: Shape) -> Axes:
    """Axes of a feature map (N, C, H, W), of vectors (N, C), or unknown ones behind the batch."""
    tags = {4: "NCHW", 2: "NC"}.get(len(shape), "N" + "U" * (len(shape) - 1))
    return tuple(axis(tag, size) for tag, size in zip(tags, shape, strict=False))


def size(row: Axes, tags: frozenset[str]) -> int:
    """Product of the factors with these tags."""
    return math.prod(factor.size for one in row for factor in one if factor.tag in tags)


def positions(row: Axes) -> int:
    """Number of positions."""
    return size(row, SPACE)


def channels(row: Axes) -> int:
    """Number of channels."""
    return size(row, frozenset("C"))


def tag(one: Axis) -> str:
    """What an axis mostly stands for."""
    tags = {factor.tag for factor in one}
    if len(tags) == 1:
        return next(iter(tags))
    return "C" if "C" in tags else "U" if not tags or "U" in tags else max(one, key=lambda f: f.size).tag


def is_space(one: Axis) -> bool:
    """Whether an axis holds positions alone."""
    return bool(one) and all(factor.tag in SPACE for factor in one)


def resized(row: Axes, shape: Shape) -> Axes:
    """Axes behind an operation that keeps the rank; an axis of another size is a new one of the same kind."""
    return tuple(
        one if math.prod(f.size for f in one) == new else axis(tag(one) if one else "U", new)
        for one, new in zip(row, shape, strict=True)
    )


def broadcast(rows: Sequence[Axes], shape: Shape) -> Axes:
    """Axes of an element-wise result: those of the operand that has the axis."""
    result = []
    for back in range(len(shape), 0, -1):
        known = [row[-back] for row in rows if len(row) >= back]
        full = [one for one in known if math.prod(f.size for f in one) == shape[-back]]
        best = min(full, key=lambda one: sum(f.tag in "US" for f in one), default=())
        result.append(best or axis("U", shape[-back]))
    return tuple(result)


def reshaped(row: Axes, shape: Shape) -> Axes:
    """Axes behind a view or reshape."""
    queue = [factor for one in row for factor in one]
    result: list[Axis] = []
    for wanted in shape:
        taken: list[Factor] = []
        while wanted > 1:
            if not queue:
                return tuple(axis("U", n) for n in shape)
            head = queue.pop(0)
            if wanted % head.size == 0:
                taken.append(head)
                wanted //= head.size
            elif head.size % wanted == 0:
                inner = head.size // wanted
                taken.append(Factor(head.tag, wanted, head.stride * inner))
                queue.insert(0, Factor(head.tag, inner, head.stride))
                wanted = 1
            else:
                return tuple(axis("U", n) for n in shape)
        result.append(_joined(taken))
    return tuple(result)


def _joined(factors: list[Factor]) -> Axis:
    joined: list[Factor] = []
    for factor in factors:
        last = joined[-1] if joined else None
        if last is not None and last.tag == factor.tag and last.stride == factor.stride * factor.size:
            joined[-1] = Factor(factor.tag, last.size * factor.size, factor.stride)
        else:
            joined.append(factor)
    return tuple(joined)


def out_of_order(one: Axis) -> bool:
    """Whether channels stand in another order than they had."""
    strides = [factor.stride for factor in one if factor.tag == "C"]
    return len(strides) == len(one) > 1 and strides != sorted(strides, reverse=True)


def takes_in_space(one: Axis) -> bool:
    """Whether an axis holds channels and neighbouring positions."""
    tags = {factor.tag for factor in one}
    return "C" in tags and bool(tags & SPACE)
