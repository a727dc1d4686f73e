"""The forms that blocks take: what their layers are in order, how shortcuts change shape, how parallel ways differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_blocks import Branch, Branching
from fairnad_engine.backbone.features_flow import Flow, Step
from fairnad_engine.backbone.features_layers import attention, conv, linear, token_mlp
from fairnad_engine.backbone.features_moves import pooling
from fairnad_engine.backbone.features_network import Network
from fairnad_engine.backbone.features_units import activation, norm, scale

_LAYOUT_OPS = frozenset({"permute", "transpose", "view", "reshape", "flatten"})
_LOWER_OR_RAISE = ("avg", "max", "blur")


class Layer(NamedTuple):
    """One layer of a way.

    Attributes:
        kind: ``point``, ``depth`` (wise), ``group`` (ed) or ``dense`` convolution, ``attention``, ``tokens``, ``pool``.
        reach: Side of what a position sees.
        inputs: Input channels.
        outputs: Output channels.
    """

    kind: str
    reach: int = 1
    inputs: int = 0
    outputs: int = 0


def layers(flow: Flow, indices: Iterable[int]) -> list[Layer]:
    """The layers among some steps, in order."""
    return [layer for i in sorted(indices) if (layer := _layer(flow, flow[i])) is not None]


def _layer(flow: Flow, step: Step) -> Layer | None:
    found = conv(flow, step)
    if found is not None:
        narrow = "group" if found.groups > 1 else "dense"
        kind = "point" if found.pointwise else "depth" if found.depthwise else narrow
        return Layer(kind, 1 + found.dilation * (max(found.kernel) - 1), found.inputs, found.outputs)
    sizes = linear(flow, step)
    if sizes is not None:
        return Layer("point", 1, *sizes)
    if attention(flow, step):
        return Layer("attention")
    if token_mlp(flow, step):
        return Layer("tokens")
    kept = pooling(flow, step) in ("avg", "max") and flow[step.inputs[0]].positions == step.positions
    return Layer("pool") if kept else None


def block_forms(network: Network) -> dict[str, float]:
    """Features of the forms of blocks; counts, and the code ``order``."""
    flow = network.flow
    ways = [(one, way, layers(flow, way.steps)) for one in network.blocks for way in one.branches if way.works]
    shaped = [_waist(row) for _, _, row in ways]
    return {
        "bottleneck": shaped.count("narrow"),
        "inverted": shaped.count("wide"),
        "feed_forward": sum(_feeds_forward(flow, one) for one in network.structure.branchings),
        "blocks.kinds": _kinds(network),
        "scale.residual": sum(scale(flow, flow[i]) is not None for _, way, _ in ways for i in way.steps),
        "pool.mixer": _pool_mixers(network),
        **_order(network, ways),
        **_shortcuts(network),
        **_parallel(network),
    }


def _waist(row: list[Layer]) -> str:
    """``narrow`` or ``wide`` where 1x1 layers stand around spatial ones that have fewer or more channels."""
    points = [n for n, layer in enumerate(row) if layer.kind == "point"]
    for first, last in pairwise(points):
        hidden, before, after = row[first].outputs, row[first].inputs, row[last].outputs
        if last - first < 2:
            continue
        if hidden <= before and hidden < after:
            return "narrow"
        if hidden > before and hidden > after:
            return "wide"
    return ""


def _feeds_forward(flow: Flow, one: Branching) -> bool:
    """Whether a residual branch is layers at single positions alone, the first one not narrowing."""
    if not one.shortcuts or len(one.branches) != 1 or one.branches[0].spatial:
        return False
    row = layers(flow, one.branches[0].steps)
    return len(row) >= 2 and row[0].outputs >= row[0].inputs


def _kinds(network: Network) -> int:
    """How many stages' sets of block kinds there are."""
    stages: dict[tuple[int, int], set[str]] = {}
    for one in network.blocks:
        merge = network.flow[one.merge]
        rows = [layers(network.flow, way.steps) for way in one.branches if way.works]
        place = (merge.positions, ax.channels(merge.axes))
        stages.setdefault(place, set()).add("+".join(sorted(_kind(row) for row in rows)))
    return len({frozenset(kinds) for kinds in stages.values()})


def _kind(row: list[Layer]) -> str:
    kinds = {layer.kind for layer in row}
    first = next((k for k in ("attention", "tokens", "depth", "group", "dense", "pool") if k in kinds), "point")
    return first + _waist(row)


def _pool_mixers(network: Network) -> int:
    """Average pooling that keeps the resolution, and is no path beside others."""
    flow = network.flow
    beside = {
        i
        for one in network.structure.branchings
        if len(one.branches) > 1 and one not in network.links
        for way in one.branches
        for i in way.steps
    }
    return sum(pooling(flow, step) == "avg" and step.index not in beside for step in network.body)


def _order(network: Network, ways: list[tuple[Branching, Branch, list[Layer]]]) -> dict[str, float]:
    flow = network.flow
    first = sum(_begins_normed(flow, one, way) for one, way, row in ways if _convolves(row))
    behind = sum(_is_norm(flow, step) and _is_inner(flow, flow[step.inputs[0]]) for step in flow)
    rows = [["point" if layer.kind == "point" else "space" for layer in row] for _, _, row in ways]
    turned = sum(len(row) > 1 and row[0] == "point" and row[-1] == "space" for row in rows)
    raised = sum(row[:1] == ["space"] and row[-2:] == ["point", "point"] for row in rows)
    return {"preact.first": first, "order": first + 1e2 * behind + 1e4 * turned + 1e6 * raised}


def _convolves(row: list[Layer]) -> bool:
    return any(layer.kind in ("dense", "group", "depth") for layer in row)


def _begins_normed(flow: Flow, one: Branching, way: Branch) -> bool:
    found = [flow[i] for i in flow.readers.get(one.fork, ()) if i in way.steps]
    while found and all(step.op in _LAYOUT_OPS for step in found):
        found = [flow[i] for step in found for i in flow.readers[step.index] if i in way.steps]
    return any(_is_norm(flow, step) or activation(flow, step) for step in found)


def _is_norm(flow: Flow, step: Step) -> bool:
    return step.kind == "map" and norm(flow, step) not in (None, "response")


def _is_inner(flow: Flow, step: Step) -> bool:
    # An activation behind a layer, not behind a block's sum.
    if activation(flow, step) is None:
        return False
    before = flow[step.inputs[0]]
    return _layer(flow, before) is not None or _is_norm(flow, before)


def _shortcuts(network: Network) -> dict[str, float]:
    """Shortcuts that change the shape by kind, and projections where it stays."""
    flow, found = network.flow, Counter[str]()
    for one in network.blocks:
        fork, merge = flow[one.fork], flow[one.merge]
        shapes = {(step.positions, ax.channels(step.axes)) for step in (fork, merge)}
        for way in one.shortcuts if merge.op == "add" else ():
            row = layers(flow, way.steps)
            pools = any(pooling(flow, flow[i]) in _LOWER_OR_RAISE for i in way.steps)
            if len(shapes) == 1:
                found["same"] += bool(row)
            elif any(layer.reach > 1 for layer in row):
                found["spatial"] += 1
            else:
                found["pooled" if pools else "conv" if row else "padded"] += 1
    return {f"shortcut.{kind}": found[kind] for kind in ("padded", "conv", "pooled", "spatial", "same")}


def _parallel(network: Network) -> dict[str, float]:
    """How many reaches, and how many equal ways, a fork's ways have beyond one."""
    kernels = same = 0
    for one in network.structure.branchings:
        if one in network.links or len(one.branches) < 2:
            continue
        rows = [tuple(layers(network.flow, way.steps)) for way in one.branches]
        # A 5x5 convolution and two 3x3 ones see as far and are of different kernels all the same.
        reaches = {
            (max(layer.reach for layer in row), sum(layer.reach - 1 for layer in row))
            for row in rows
            if row and all(layer.kind in ("point", "depth", "group", "dense") for layer in row)
        }
        kernels += max(0, len(reaches) - 1)
        same += max(Counter(rows).values()) - 1
    return {"parallel.kernels": kernels, "parallel.same": same}
