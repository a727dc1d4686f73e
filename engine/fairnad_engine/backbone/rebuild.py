"""From a checked description back to a network that trains like the original.

The network is a straight-line function whose text is made here from integers alone: node ``i`` is ``v{i}``, its
operation ``o{i}``, a constant ``c{i}``. No string of the candidate enters it. A value is dropped after its last use,
so memory is that of the eager network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from fairnad_engine.backbone.graph import (
    Argument,
    BackboneGraph,
    DtypeRef,
    GraphRefusedError,
    ImageRef,
    ModeGraph,
    NodeRef,
    TensorRef,
)
from fairnad_engine.backbone.ops import NOISE_OPS, PLACED_OPS, resolve

Forward = Callable[[torch.Tensor, list[torch.Tensor]], torch.Tensor]


class GraphBackbone(nn.Module):
    """A backbone rebuilt from its description; images (N, C, H, W) in, logits (N, classes) out."""

    def __init__(self, graph: BackboneGraph, weights: Mapping[str, torch.Tensor] | None = None) -> None:
        """Build the network on ``meta`` when no weights are given.

        Args:
            graph: The checked description.
            weights: Tensor for each entry of the table, by name.

        Raises:
            GraphRefusedError: Weights are missing, of another shape or dtype, or not finite.
        """
        super().__init__()
        self.graph = graph
        for index, entry in enumerate(graph.tensors):
            if weights is None:
                tensor = torch.empty(entry.shape, dtype=getattr(torch, entry.dtype), device="meta")
            else:
                tensor = _checked(weights, entry.name, entry.shape, entry.dtype)
            if entry.kind == "parameter":
                self.register_parameter(f"t{index}", nn.Parameter(tensor, requires_grad=entry.requires_grad))
            else:
                self.register_buffer(f"t{index}", tensor)
        self._forwards = {True: compile_mode(graph.train), False: compile_mode(graph.eval)}
        self._table: list[torch.Tensor] | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        if self._table is None:
            self._table = [getattr(self, f"t{i}") for i in range(len(self.graph.tensors))]
        return self._forwards[self.training](images, self._table)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> GraphBackbone:
        self._table = None  # tensors may be replaced when the module moves
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def named_weights(self) -> dict[str, torch.Tensor]:
        """Every tensor under the name it has in the candidate's own source."""
        return {e.name: getattr(self, f"t{i}").detach() for i, e in enumerate(self.graph.tensors)}


def _checked(weights: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...], dtype: str) -> torch.Tensor:
    tensor = weights.get(name)
    if tensor is None or tuple(tensor.shape) != shape or tensor.dtype != getattr(torch, dtype):
        raise GraphRefusedError(f"weights of {name} are missing or not {list(shape)} {dtype}")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise GraphRefusedError(f"weights of {name} are not finite")
    return tensor.clone()


def compile_mode(graph: ModeGraph) -> Forward:
    """Return ``f(images, table) -> logits`` for one mode.

    Raises:
        GraphRefusedError: This torch lacks an operation of the graph.
    """
    scope: dict[str, Any] = {}
    last_use = _last_uses(graph)
    lines = ["def forward(x, t):"]
    for index, node in enumerate(graph.nodes):
        function = resolve(node.op)
        if function is None:
            raise GraphRefusedError(f"this torch has no {node.op}", "op-not-allowed")
        scope[f"o{index}"] = _noise(function) if node.op in NOISE_OPS else function
        constants = _Constants(scope, index)
        parts = [constants.text(argument) for argument in node.args]
        # A keyword is text of the description, so it is bound through the scope, never written out.
        keywords = dict(node.kwargs)
        call = ", ".join(parts)
        if keywords or node.op in PLACED_OPS:
            pairs = [f"{constants.name(name)}: {constants.text(value)}" for name, value in keywords.items()]
            if node.op in PLACED_OPS:
                pairs.append(f"{constants.name('device')}: x.device")
            call = f"{call}, **{{{', '.join(pairs)}}}" if call else f"**{{{', '.join(pairs)}}}"
        lines.append(f"    v{index} = o{index}({call})")
        dead = [f"v{i}" for i in last_use.get(index, ())]
        if dead:
            lines.append(f"    {' = '.join(dead)} = None")
    lines.append(f"    return v{graph.output.index}")
    exec(compile("\n".join(lines), "<backbone graph>", "exec"), scope)  # noqa: S102 - text made from integers
    forward: Forward = scope["forward"]
    return forward


def _noise(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Draw the noise of dropout and stochastic depth in the precision that autocast has chosen for what it meets.

    The trace bakes float32 in; left there it would turn every later activation into float32.
    """

    def draw(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        device = kwargs.get("device", torch.device("cpu")).type
        available = torch.amp.is_autocast_available(device)  # ``meta`` has none
        if kwargs.get("dtype") is torch.float32 and available and torch.is_autocast_enabled(device):
            kwargs["dtype"] = torch.get_autocast_dtype(device)
        return factory(*args, **kwargs)

    return draw


def _last_uses(graph: ModeGraph) -> dict[int, list[int]]:
    last: dict[int, int] = {index: index for index in range(len(graph.nodes))}
    for index, node in enumerate(graph.nodes):
        for reference in node.references():
            if isinstance(reference, NodeRef):
                last[reference.index] = index
    dying: dict[int, list[int]] = {}
    for value, index in last.items():
        if value != graph.output.index:
            dying.setdefault(index, []).append(value)
    return dying


class _Constants:
    """Binds a node's literals in the function's scope and spells references to them."""

    def __init__(self, scope: dict[str, Any], node: int) -> None:
        self._scope = scope
        self._prefix = f"c{node}_"
        self._count = 0

    def name(self, value: object) -> str:
        key = f"{self._prefix}{self._count}"
        self._count += 1
        self._scope[key] = value
        return key

    def text(self, argument: Argument) -> str:
        match argument:
            case NodeRef(index):
                return f"v{index}"
            case TensorRef(index):
                return f"t[{index}]"
            case ImageRef():
                return "x"
            case DtypeRef(name):
                return self.name(getattr(torch, name))
            case tuple():
                return "[" + ", ".join(self.text(item) for item in argument) + "]"
            case _:
                return self.name(argument)
