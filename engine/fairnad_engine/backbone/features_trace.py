"""From a graph to its flow of values: who reads whom, with which shape, along which axes.

In-place operations read as their functional form, operations that hand their input on are left out, and so is dead
code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_flow import CONVS, POOLS, REDUCTIONS, Flow, Step
from fairnad_engine.backbone.features_shapes import axes_of, shapes
from fairnad_engine.backbone.graph import Argument, BackboneGraph, ImageRef, ModeGraph, Node, NodeRef
from fairnad_engine.backbone.ops import FACTORY_OPS, INPLACE_OPS

_PASSING = frozenset(
    ["contiguous", "clone", "alias", "detach", "lift_fresh_copy", "to", "float", "type_as", "_to_copy"]
)
_DROPOUTS = frozenset(["dropout", "feature_dropout", "alpha_dropout", "native_dropout"])


def trace(graph: BackboneGraph, mode: ModeGraph) -> Flow:
    """Follow one mode of a graph from the images to the logits."""
    steps, output = _functional(mode)
    flow = Flow(graph, steps, output)
    for step, shape in zip(steps.values(), shapes(graph, steps), strict=True):
        step.shape = shape
        step.inputs = tuple(dict.fromkeys(i for a in _flat(step.args) if (i := _tensor_index(flow, a)) is not None))
        step.axes = axes_of(flow, step)
        step.kind = _kind(flow, step)
    _drop_unread(flow)
    return flow


def _flat(arguments: Sequence[Argument]) -> Iterator[Argument]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _flat(argument)
        else:
            yield argument


def _tensor_index(flow: Flow, argument: Argument) -> int | None:
    step = flow.of(argument)
    return step.index if step is not None and step.shape else None


def _drop_unread(flow: Flow) -> None:
    read, waiting = {flow.output}, [flow.output]
    while waiting:
        step = flow[waiting.pop()]
        # A trained number, such as one weight of a row, has no shape and is no input; a product reads it all the same.
        numbers = [one.index for one in map(flow.of, _flat(step.args)) if one is not None and one.kind == "param"]
        for index in (*step.inputs, *numbers):
            if index not in read:
                read.add(index)
                waiting.append(index)
    flow.steps = {index: step for index, step in flow.steps.items() if index in read}
    for step in flow:
        for index in step.inputs:
            flow.readers.setdefault(index, []).append(step.index)


def _kind(flow: Flow, step: Step) -> str:
    if step.op == "image":
        return "map"
    inputs = [flow[i] for i in step.inputs if flow[i].kind != "param"]
    if not inputs or step.target in FACTORY_OPS:
        return "param"
    kinds = {one.kind for one in inputs}
    most = max(one.positions for one in inputs)
    if _pools_all(step, most):
        return "pooled"
    if kinds == {"pooled"}:
        return "pooled"
    # One value a position; a grey image is a feature map all the same.
    if ax.channels(step.axes) == 1 and inputs[0].op != "image" and step.positions > 1:
        return "flat"
    return "map"


def _pools_all(step: Step, most: int) -> bool:
    if step.op.startswith("adaptive_"):
        return step.positions == 1
    if step.op in REDUCTIONS and len(step.shape) >= 2:
        dims = step.argument(1, "dim")
        if dims is not None and step.positions == 1:
            given = {d % 4 for d in (dims if isinstance(dims, tuple) else (dims,)) if isinstance(d, int)}
            return most > 1 or given >= {2, 3}
    return most > 1 and step.positions == 1 and step.op not in CONVS | POOLS | {"slice", "getitem", "pad"}


def _functional(mode: ModeGraph) -> tuple[dict[int, Step], int]:
    # Where a name points now: an in-place operation moves it, a passing one shares its input's.
    current: dict[int, int] = {}
    names: defaultdict[int, list[int]] = defaultdict(list)

    def moved(argument: Argument) -> Argument:
        if isinstance(argument, NodeRef):
            return NodeRef(current[argument.index])
        if isinstance(argument, ImageRef):
            return NodeRef(image)
        return tuple(moved(item) for item in argument) if isinstance(argument, tuple) else argument

    steps = {0: Step(0, "image", "", (), {})}
    image = 0
    for number, node in enumerate(mode.nodes):
        op = node.op.split(".")[1]
        args = tuple(moved(argument) for argument in node.args)
        first = args[0] if args else None
        if isinstance(first, NodeRef) and (op in _PASSING or (op in _DROPOUTS and node.args[2:3] == (False,))):
            current[number] = first.index
            names[first.index].append(number)
            continue
        index = number + 1
        names[index] = [number]
        if node.op in INPLACE_OPS and isinstance(first, NodeRef):
            names[index] += names.pop(first.index, [])
        current.update(dict.fromkeys(names[index], index))
        kwargs = {name: moved(value) for name, value in node.kwargs}
        steps[index] = Step(index, _bare(node), node.op, args, kwargs)
    return steps, current[mode.output.index]


def _bare(node: Node) -> str:
    space, op = node.op.split(".")[:2]
    if space == "py":
        return op if op == "getitem" else node.op
    return op[:-1] if node.op in INPLACE_OPS else op
