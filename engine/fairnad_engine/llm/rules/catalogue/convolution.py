"""Convolution type: depthwise, grouped, dilated, large, factorised."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Block, Blueprint, Layer, Path
from ..naming import layer_name
from .draw import Change, Draw, base_widths, edit_layers, where
from .registry import inverse, transformation


def separable(block: Block, layer: Layer, kernel: int, *, pointwise_first: bool = False) -> Path:
    """Return a depthwise and a pointwise layer in place of a dense one."""
    inner = replace(layer, kernel=kernel, kernels=(), groups=0, factorised=False, act=block.activation, gates=())
    outer = replace(layer, kernel=1, kernels=(), groups=1, dilation=1, factorised=False)
    if pointwise_first:
        return replace(outer, act=inner.act, gates=()), replace(inner, act=layer.act, gates=layer.gates)
    return replace(inner, response=False), outer


@transformation("depthwise-separable", "conv.depthwise")
def depthwise(b: Blueprint, draw: Draw) -> Change | None:
    """Split dense convolutions into a depthwise and a pointwise one."""
    kernel, turned = draw.number("kernel", (3, 5)), draw.chance(0.25)
    places = draw.layers(b, lambda _, layer: layer.spatial and (layer.groups != 0 or layer.kernel != kernel))
    if not places:
        return None

    def split(block: Block, layer: Layer) -> Path:
        if layer.groups == 0:
            return (replace(layer, kernel=kernel, kernels=(), dilation=1, factorised=False),)
        return separable(block, layer, kernel, pointwise_first=turned)

    new = edit_layers(b, places, split)
    order = "pointwise + depthwise" if turned else "depthwise"
    return Change(new, f"{where(b, places)}: dense -> {order} {kernel}x{kernel}{'' if turned else ' + pointwise'}")


def group_options(b: Blueprint, places: list[tuple[int, int, int]]) -> list[int]:
    """Return the numbers of groups that divide the channels at all of the places."""
    widths = [width for place in places for width in base_widths(b, place)]
    return [g for g in (2, 4, 8, 16, 32) if widths and all(w % g == 0 and w >= 2 * g for w in widths)]


@transformation("grouped-convolution", "conv.grouped")
def grouped(b: Blueprint, draw: Draw) -> Change | None:
    """Split spatial convolutions into groups of channels."""
    places = draw.layers(b, lambda _, layer: layer.spatial and layer.groups != 0)
    places = [p for p in places if all(x.op != "shuffle" for x in b.block(p[0], p[1]).layers)]
    options = group_options(b, places)
    if not options:
        return None
    groups = draw.number("groups", options)
    new = edit_layers(b, places, lambda _, layer: (replace(layer, groups=groups),))
    return Change(new, f"{where(b, places)}: {groups} groups")


@transformation("dilated-convolution", "conv.dilated")
def dilated(b: Blueprint, draw: Draw) -> Change | None:
    """Spread the taps of spatial convolutions."""
    dilation = draw.number("dilation", (2, 3))
    places = draw.layers(
        b,
        lambda _, layer: layer.spatial and not layer.kernels and not layer.factorised and layer.dilation != dilation,
    )
    if not places:
        return None
    new = edit_layers(b, places, lambda _, layer: (replace(layer, dilation=dilation),))
    return Change(new, f"{where(b, places)}: dilation {dilation}")


@transformation("large-kernel", "conv.large-kernel")
def large_kernel(b: Blueprint, draw: Draw) -> Change | None:
    """Widen kernels to 5x5 and more; dense ones become depthwise + pointwise, so that the cost stays."""
    kernel = draw.number("kernel", (5, 7, 9))
    places = draw.layers(b, lambda _, layer: layer.spatial and layer.kernel != kernel)
    if not places:
        return None
    dense = len(places) == 1 and kernel == 5 and draw.chance(0.5)

    def widen(block: Block, layer: Layer) -> Path:
        if layer.groups == 0 or dense:
            return (replace(layer, kernel=kernel, dilation=1, kernels=tuple(k for k in layer.kernels if k != kernel)),)
        return separable(block, replace(layer, dilation=1), kernel)

    old = layer_name(b.block(*places[0][:2]).layers[places[0][2]])
    kind = "" if dense else "depthwise "
    return Change(edit_layers(b, places, widen), f"{where(b, places)}: {old} -> {kind}{kernel}x{kernel}")


@transformation("factorised-convolution", "conv.factorised")
def factorised(b: Blueprint, draw: Draw) -> Change | None:
    """Split k x k convolutions into k x 1 and 1 x k."""
    kernel = draw.number("kernel", (3, 5, 7))
    places = draw.layers(
        b, lambda _, layer: layer.spatial and not layer.kernels and not (layer.factorised and layer.kernel == kernel)
    )
    if not places:
        return None
    new = edit_layers(b, places, lambda _, layer: (replace(layer, kernel=kernel, factorised=True, dilation=1),))
    return Change(new, f"{where(b, places)}: square -> {kernel}x1 + 1x{kernel}")


@inverse("dense-convolution", "conv.depthwise", "conv.grouped")
def dense(b: Blueprint, draw: Draw) -> Change | None:
    """Let depthwise and grouped convolutions mix all channels again."""
    places = draw.layers(b, lambda _, layer: layer.spatial and layer.groups != 1)
    if not places:
        return None
    new = edit_layers(b, places, lambda _, layer: (replace(layer, groups=1, kernel=3, kernels=(), width=1.0),))
    return Change(new, f"{where(b, places)}: depthwise or grouped -> dense 3x3")


@inverse("small-kernel", "conv.dilated", "conv.large-kernel", "conv.factorised")
def small(b: Blueprint, draw: Draw) -> Change | None:
    """Return to compact 3x3 kernels."""
    places = draw.layers(
        b, lambda _, layer: layer.spatial and (layer.kernel > 3 or layer.dilation > 1 or layer.factorised)
    )
    if not places:
        return None
    plain = {"kernel": 3, "kernels": (), "dilation": 1, "factorised": False}
    new = edit_layers(b, places, lambda _, layer: (replace(layer, **plain),))  # type: ignore[arg-type]
    return Change(new, f"{where(b, places)}: large, dilated or factorised -> 3x3")
