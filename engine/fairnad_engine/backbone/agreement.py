"""Whether a source and its graph are the same network: what each is seen to do on the same images.

Inside the jail the candidate takes one eager training step and is then asked for logits; in another child, which
holds nothing but trusted code, the graph does the same under the same seeds. A gradient that a custom
``autograd.Function`` or a hook made up, a structure that is there only while it is exported, state kept between
calls: each shows as a difference (architecture, section 2). What the candidate's child says is a claim and is checked
field by field; the network that is trained is the graph in any case.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

PROBE_IMAGES = 4
_RELATIVE = 1e-3  # the same operations in the same order: in practice the two are equal
_NEGLIGIBLE = 1e-6  # of the largest gradient
_STRIDES = (1, 3, 7)
_LEAK = 1e-3
_LEAK_HALF = 5e-2

Sketch = list[float] | None


class StepError(Exception):
    """A step failed; ``phase`` is ``forward``, ``output-shape`` or ``backward``."""

    def __init__(self, phase: str, message: str) -> None:
        super().__init__(message)
        self.phase = phase


def probe(shape: tuple[int, int, int], num_classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (4, C, H, W) and labels that both sides make for themselves."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(PROBE_IMAGES, *shape, generator=generator), torch.arange(PROBE_IMAGES) % num_classes


def observe(
    model: nn.Module,
    tensors: Mapping[str, torch.Tensor],
    images: torch.Tensor,
    labels: torch.Tensor,
    num_classes: int,
    *,
    backward: bool = True,
) -> dict[str, Any]:
    """Take one step in train mode, then ask for logits in eval mode, and note what comes out.

    Args:
        model: The candidate, or the network rebuilt from its graph.
        tensors: Its parameters and buffers by the candidate's names.
        images: (N, C, H, W).
        labels: (N,).
        num_classes: Logits wanted.
        backward: Whether gradients are asked for too.

    Returns:
        JSON-able sketches under ``train``, ``eval``, ``buffers`` and, with ``backward``, ``gradients``.

    Raises:
        StepError: With the phase; a candidate's own exception is its cause.
    """
    for tensor in tensors.values():
        tensor.grad = None
    model.train(True)
    torch.manual_seed(1)
    logits = _logits(model, images, num_classes)
    seen: dict[str, Any] = {"train": sketch(logits)}
    if backward:
        _backward(logits, labels)
        seen["gradients"] = {
            name: None if tensor.grad is None else sketch(tensor.grad)
            for name, tensor in tensors.items()
            if isinstance(tensor, nn.Parameter)
        }
        if not any(tensor.grad is not None and bool((tensor.grad != 0).any()) for tensor in tensors.values()):
            raise StepError("backward", "no parameter receives a gradient")
    seen["buffers"] = {name: sketch(b) for name, b in tensors.items() if not isinstance(b, nn.Parameter)}
    model.train(False)
    torch.manual_seed(2)
    seen["eval"] = sketch(_logits(model, images, num_classes))
    for tensor in tensors.values():
        tensor.grad = None
    return seen


def _logits(model: nn.Module, images: torch.Tensor, num_classes: int) -> torch.Tensor:
    try:
        logits = model(images.clone())
    except Exception as error:
        raise StepError("forward", str(error)) from error
    wanted = (len(images), num_classes)
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != wanted:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise StepError("output-shape", f"forward returns {got}, wanted {wanted}")
    return logits


def _backward(logits: torch.Tensor, labels: torch.Tensor) -> None:
    try:
        F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise StepError("backward", str(error)) from error


def sketch(tensor: torch.Tensor) -> Sketch:
    """Norm and three partial sums of a tensor, or None where they are not finite: small, and hard to meet by chance."""
    flat = tensor.detach().as_subclass(torch.Tensor).to(torch.float32).flatten()
    values = [float(flat.norm())] + [float(flat[::stride].sum(dtype=torch.float64)) for stride in _STRIDES]
    return values if all(map(math.isfinite, values)) else None


def disagreement(claimed: object, replayed: Mapping[str, Any]) -> str | None:
    """Name the first thing that the source does otherwise than its graph, or None.

    Args:
        claimed: What the candidate's child says it saw.
        replayed: What :func:`observe` saw of the graph.
    """
    if not isinstance(claimed, dict):
        return "it tells nothing of its own step"
    parts = (
        ("train", "other logits in train mode"),
        ("eval", "other logits in eval mode"),
    )
    for key, what in parts:
        if not _alike(claimed.get(key), replayed[key]):
            return what
    for key, what in (("gradients", "another gradient for"), ("buffers", "another buffer")):
        if key not in claimed and key == "gradients":
            continue
        mine, theirs = replayed[key], claimed.get(key)
        if not isinstance(theirs, dict) or set(theirs) != set(mine):
            return f"other {key}"
        largest = max((s[0] for s in mine.values() if s), default=0.0)
        for name, value in mine.items():
            if not _alike(theirs[name], value, _NEGLIGIBLE * largest if key == "gradients" else 0.0):
                return f"{what} {name}"
    return None


def _alike(claimed: object, seen: Sketch, slack: float = 0.0) -> bool:
    if claimed is None or seen is None:
        return claimed is None and seen is None
    if not isinstance(claimed, list) or len(claimed) != len(seen):
        return False
    if not all(isinstance(n, float) for n in claimed):  # as every sketch is; a whole number may be too long for one
        return False
    margin = _RELATIVE * seen[0] + slack + 1e-9
    return all(abs(a - b) <= margin for a, b in zip(claimed, seen, strict=True))


def neighbours_matter(model: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> bool:
    """Whether an image's logits change when the images beside it do; costs two forward passes.

    Both batches have the same size, so that kernels chosen by size are the same, and the images that are compared sit
    in other places among other neighbours.

    Args:
        model: A network in eval mode.
        images: At least four, (N, C, H, W), normalised.
    """
    half = len(images) // 2
    if half < 2:
        return False
    others = images[half:].flip(0) * -0.5 + images[: len(images) - half].mean()
    with torch.no_grad():
        before = model(images)[:half]
        after = model(torch.cat([others, images[:half].flip(0)]))[-half:].flip(0)
    return logits_differ(before, after)


def logits_differ(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether two sets of logits (N, classes) differ by more than rounding, by the precision they come in."""
    halves = (torch.float16, torch.bfloat16)
    half_precision = before.dtype in halves or torch.is_autocast_enabled(before.device.type)
    before, after = before.float(), after.float()
    finite = torch.isfinite(before) & torch.isfinite(after)
    if not bool(finite.all()):
        return bool((torch.isfinite(before) != torch.isfinite(after)).any())
    scale = before.abs().amax().clamp_min(1e-6)
    return bool((before - after).abs().amax() > (_LEAK_HALF if half_precision else _LEAK) * scale)
