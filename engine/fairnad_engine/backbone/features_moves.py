"""Pooling, and moves of values between positions and channels or among channels."""

from __future__ import annotations

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_flow import POOLS, SPLITS, Flow, Step
from fairnad_engine.backbone.features_layers import any_conv, feeds_contraction, largest


def pooling(flow: Flow, step: Step) -> str | None:
    """``max``, ``avg`` (which keeps the resolution) or ``blur`` (a low-pass filter that lowers it) on a map."""
    if step.kind != "map" or not step.inputs:
        return None
    if step.op in POOLS:
        kept = largest(step.argument(2, "stride") or step.argument(1, "kernel_size")) == 1
        return "max" if step.op.startswith("max") else "avg" if kept else "blur"
    found = any_conv(flow, step)
    fixed = found is not None and found.depthwise and not flow.is_trained(step.args[1])
    return "blur" if fixed else None


def space_to_depth(flow: Flow, step: Step) -> bool:
    """Whether a step moves neighbouring positions into the channels."""
    if step.op in ("pixel_unshuffle", "im2col"):
        return True
    if step.kind != "map" or not step.inputs or len(step.shape) < 3:
        return False
    if step.op == "cat":
        return len(step.inputs) >= 4 and all(_is_subsampled(flow[i]) for i in step.inputs)
    before = any(ax.takes_in_space(one) for i in step.inputs for one in flow[i].axes)
    return any(ax.takes_in_space(one) for one in step.axes) and not before


def _is_subsampled(step: Step) -> bool:
    return step.op == "slice" and largest(step.argument(4, "step", 1)) > 1


def shuffle(flow: Flow, step: Step) -> bool:
    """Whether a step puts channels into another order."""
    if step.op == "channel_shuffle":
        return True
    if step.op == "index_select" and flow.is_param(step.args[2]):
        return ax.tag(step.axes[int(step.args[1])]) == "C"  # type: ignore[arg-type]
    before = any(ax.out_of_order(one) for i in step.inputs for one in flow[i].axes)
    return any(ax.out_of_order(one) for one in step.axes) and not before


def split(flow: Flow, step: Step) -> bool:
    """Whether a step divides a map's channels into parts that go different ways and meet in a sum or row."""
    if step.kind != "map" or step.op not in SPLITS | {"slice", "narrow"}:
        return False
    dim = step.argument(1 if step.op in ("slice", "narrow", "unbind") else 2, "dim", 0)
    source = flow[step.inputs[0]]
    row = source.axes[dim % len(source.axes)]
    if ax.tag(row) != "C" or ax.size((row,), frozenset("C")) != ax.channels(source.axes):
        return False
    if step.op in ("slice", "narrow"):
        return step.shape != source.shape and step.argument(2, "start", 0) in (0, None)
    return not feeds_contraction(flow, step) and not _is_multiplied(flow, step)


def _is_multiplied(flow: Flow, step: Step) -> bool:
    """Whether the parts of a split are multiplied with each other."""
    parts = [_ahead(flow, index) for index in flow.readers.get(step.index, ())]
    common = set.intersection(*parts) if len(parts) > 1 else set()
    return bool(common) and flow[min(common)].op == "mul"


def _ahead(flow: Flow, index: int) -> set[int]:
    found, waiting = {index}, [index]
    while waiting:
        for reader in flow.readers.get(waiting.pop(), ()):
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    return found
