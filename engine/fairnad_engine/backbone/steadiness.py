"""Whether train mode is the same computation each time: which operations run, and with which numbers.

A number that Python drew, or counted up from call to call, is baked into a trace: the network that would be trained
is then one throw of dice that its author meant to be thrown each time. A second trace under another seed would tell, at
half a second for a small network; what is dispatched in a few eager passes tells more, at a hundredth each.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

_PASSES = 4
_PLAIN = (bool, int, float, complex, str, torch.dtype, torch.layout, torch.memory_format)


class _Log(TorchDispatchMode):
    """Notes each operation with all that it is given: numbers as they are, tensors by their shape.

    A tensor that neither the network holds nor an operation made came in from outside, so its values are noted too.
    """

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lines: list[str] = []
        # By storage, which views and ``.data`` share; held, so that no address is given again.
        self._known = {_address(tensor): tensor for tensor in known}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        given = [self._note(one) for one in tree_flatten((args, kwargs))[0]]
        result = func(*args, **kwargs)
        for one in tree_flatten(result)[0]:
            if isinstance(one, torch.Tensor):
                self._known[_address(one)] = one
        self.lines.append(f"{func} {given}")
        return result

    def _note(self, value: object) -> str:
        if isinstance(value, torch.Tensor):
            shape = f"{value.dtype} {tuple(value.shape)}"
            return shape if _address(value) in self._known else f"{shape} {_values(value)}"
        return repr(value) if isinstance(value, _PLAIN) else type(value).__name__


def _address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _values(tensor: torch.Tensor) -> str:
    data = tensor.detach().contiguous().view(-1)
    return hashlib.sha256(data.view(torch.uint8).numpy().tobytes() if data.numel() else b"").hexdigest()


def first_difference(model: nn.Module, held: Mapping[str, torch.Tensor], images: torch.Tensor, seed: int) -> str | None:
    """Run a network a few times in train mode under different seeds and say where a pass parts from the first.

    A fair coin that Python tosses in every pass stays unseen with a probability of 1/8.

    Args:
        model: The candidate; what a pass does to its buffers stays done.
        held: Its parameters and buffers.
        images: (N, C, H, W).
        seed: Of torch's and Python's generators in the first pass; each further one takes the next.

    Returns:
        The first operation that differs, or None where there is none.
    """
    first = _dispatched(model, held, images, seed)
    for turn in range(1, _PASSES):
        other = _dispatched(model, held, images, seed + turn)
        if other != first:
            parted = (one for one, its in zip(first, other, strict=False) if one != its)
            return next(parted, "one pass goes on where the other ends")
    return None


def _dispatched(model: nn.Module, held: Mapping[str, torch.Tensor], images: torch.Tensor, seed: int) -> list[str]:
    torch.manual_seed(seed)
    random.seed(seed)
    given = images.clone()
    log = _Log((*held.values(), given))
    with log:
        model.train(True)(given)
    return log.lines
