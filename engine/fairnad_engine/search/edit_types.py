"""What kind of edit a child is of its parent, read off the two graphs and not off what was asked for (method, 7).

The eval graphs are compared as operations in the order in which they run:

- *hyper-parameter*: the same operations in the same connections; only their parameters differ (kernel sizes, strides,
  dilation, groups, heads, reductions inside gates, biases), or rates that act in training alone.
- *capacity*: the same, but the layers' numbers of channels; or depth alone, which is told by the layers' forms: every
  layer of one network, with how it is connected to those before it, stands in the other one as well, only not as often.
- *structural*: anything else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from fairnad_engine.backbone.canonical import Operation, live_operations
from fairnad_engine.backbone.graph import BackboneGraph, ImageRef, NodeRef, TensorRef
from fairnad_engine.backbone.layer_widths import layer_widths
from fairnad_engine.backbone.nodes import references_of
from fairnad_engine.llm.protocol import EditType

_UNORDERED = frozenset({"add", "mul", "maximum", "minimum"})
_DROPOUTS = frozenset({"dropout", "feature_dropout", "alpha_dropout"})  # in eval mode they hand their input on
_LAYERS = frozenset(
    {"conv1d", "conv2d", "conv3d", "conv_transpose2d", "convolution", "linear", "matmul", "mm", "bmm", "addmm",
     "baddbmm", "einsum", "scaled_dot_product_attention"}
)  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """What a child changed.

    Attributes:
        edit_type: What kind of edit it is.
        before: Channels of the parent's layers, in the order in which they run; None where they cannot be followed.
        after: Likewise of the child's.
    """

    edit_type: EditType
    before: tuple[int, ...] | None = None
    after: tuple[int, ...] | None = None

    def resized(self, *, fitted: bool = False, downscaled: bool = False) -> str:
        """How the child's depth or widths differ from the parent's, in words; empty where they do not.

        Args:
            fitted: Its width was set by the program, to fit the budgets, and says nothing of the edit.
            downscaled: It was sent back to be made smaller; nothing but more layers is its own doing.
        """
        before, after = self.before, self.after
        if before is None or after is None or before == after:
            return ""
        if len(before) != len(after):
            allowed = downscaled and len(after) < len(before)
            return "" if allowed else f"{len(after)} layers where the parent has {len(before)}"
        if fitted or downscaled:
            return ""
        first = next(n for n, (own, other) in enumerate(zip(before, after, strict=True)) if own != other)
        return f"{after[first]} channels in layer {first + 1} where the parent has {before[first]}"


def judge_edit(parent: BackboneGraph, child: BackboneGraph) -> Edit:
    """Judge a child by its graph beside its parent's."""
    before, after = layer_widths(parent), layer_widths(child)
    old, new = _layer_forms(parent), _layer_forms(child)
    if _connections(parent) == _connections(child):
        kind = EditType.CAPACITY if old == new and before != after else EditType.HYPERPARAMETER
    else:
        only_depth = old.keys() == new.keys() and old.total() != new.total()
        kind = EditType.CAPACITY if only_depth else EditType.STRUCTURAL
    return Edit(kind, before, after)


def _connections(graph: BackboneGraph) -> str:
    """Digest of which operations read which: no numbers, no sizes, no biases."""
    operations = live_operations(graph, graph.eval)
    digests: list[str] = []
    for one in operations:
        read = [digests[r.index] if isinstance(r, NodeRef) else _leaf(r, graph) for r in _read(one, operations)]
        if one.name in _DROPOUTS:
            digests.append(read[0])
            continue
        text = json.dumps([one.name, _ordered(one, read)])
        digests.append(sha256(text.encode()).hexdigest())
    return digests[-1]


def _layer_forms(graph: BackboneGraph) -> Counter[str]:
    """How often a layer of each form occurs, channel counts aside.

    A layer ends where its value is read more than once, or by an operation with weights. Its form names its operations
    with their parameters, and says how many layers back it reads what it reads: a block that is repeated repeats all
    of its forms, and one that is connected otherwise has others.
    """
    operations = live_operations(graph, graph.eval, exact=False)
    readers: dict[int, list[str]] = {n: [] for n in range(len(operations))}
    for one in operations:
        for reference in _read(one, operations):
            if isinstance(reference, NodeRef):
                readers[reference.index].append(one.name)
    ends = [n for n, names in readers.items() if len(names) != 1 or names[0] in _LAYERS]
    number = {index: n for n, index in enumerate(ends)}
    return Counter(_form(end, end, number, operations, graph) for end in ends if not _is_size(operations[end]))


def _form(index: int, end: int, number: dict[int, int], operations: Sequence[Operation], graph: BackboneGraph) -> str:
    """The form of one operation inside the layer that ends with ``end``."""
    one = operations[index]
    read = []
    for reference in _read(one, operations):
        if not isinstance(reference, NodeRef):
            read.append(_leaf(reference, graph, shaped=True))
        elif reference.index in number:
            read.append(f"{number[end] - number[reference.index]} back")
        else:
            read.append(_form(reference.index, end, number, operations, graph))
    parameters = {name: value for name, value in one.arguments.items() if not [*references_of(value)]}
    if isinstance(pad := parameters.get("pad"), tuple):
        parameters["pad"] = pad[:4]  # from the fifth on they pad channels
    return json.dumps([one.name, _ordered(one, read), parameters], sort_keys=True, default=str)


def _ordered(one: Operation, read: list[str]) -> list[str]:
    return sorted(read) if one.name in _UNORDERED else read


def _read(one: Operation, operations: Sequence[Operation]) -> Iterator[NodeRef | TensorRef | ImageRef]:
    """The tensors that an operation reads; whether a layer has a bias is one of its parameters."""
    for name, value in one.arguments.items():
        if name != "bias":
            for reference in references_of(value):
                if not (isinstance(reference, NodeRef) and _is_size(operations[reference.index])):
                    yield reference


def _is_size(one: Operation) -> bool:
    return one.name == "sym_size" or (one.target.startswith("py.") and one.name != "getitem")


def _leaf(reference: TensorRef | ImageRef, graph: BackboneGraph, *, shaped: bool = False) -> str:
    if isinstance(reference, ImageRef):
        return "images"
    entry = graph.tensors[reference.index]
    kernel = entry.shape[2:] if shaped and len(entry.shape) > 3 else ()
    return f"{entry.kind} {'x'.join(map(str, kernel))}"
