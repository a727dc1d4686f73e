"""Conservative rewrites of a backbone that is not in blueprint form: a user's own file, or a model's source.

Each rewrite replaces calls that it understands completely (``nn.Conv2d`` with a literal odd kernel and the padding
that goes with it, ``nn.BatchNorm2d`` of a plain expression, ...) and leaves every other character as it was. What no
rewrite expresses is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fairnad_engine.python_source import parse_module

from ..derived import derived_idea
from ..protocol import Design, DesignRefusedError, DesignTask, EditType, Purpose
from .catalogue.draw import Draw
from .components import COMPONENTS, NEEDS
from .rewrite_calls import CALL_REWRITES, CallRewrite, Found, call_name

_TRIES = 48
_INEXPRESSIBLE = "inexpressible"


@dataclass
class _Module:
    """A source with its calls and the offsets of its lines."""

    source: str
    tree: ast.Module
    starts: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, source: str) -> _Module:
        try:
            tree = parse_module(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise DesignRefusedError(_INEXPRESSIBLE, f"the parent's source does not parse: {error}") from error
        starts = [0]
        for line in source.encode().splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return cls(source, tree, starts)

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Return the byte range of an expression."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[end_line - 1] + end_column

    def calls(self) -> list[ast.Call]:
        """Return the calls, in the order of the text."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return sorted(found, key=self.span)

    def replaced(self, edits: Sequence[tuple[ast.expr, str]]) -> str:
        """Return the source with expressions replaced."""
        data = self.source.encode()
        for node, text in sorted(edits, key=lambda edit: -self.span(edit[0])[0]):
            start, end = self.span(node)
            data = data[:start] + text.encode() + data[end:]
        return data.decode()


def rewrite(task: DesignTask, purpose: Purpose, subs: Sequence[str], rng: np.random.Generator) -> Design:
    """Return a child of a parent without a blueprint.

    Args:
        task: The task.
        purpose: Its purpose, the original one where the task is to debug.
        subs: Sub-categories to express; empty for any.
        rng: Source of every choice.

    Raises:
        DesignRefusedError: No rewrite expresses any of them on this source.
    """
    module = _Module.read(task.parent_source)
    hyper = purpose is Purpose.HYPERPARAMETER
    options = [r for r in CALL_REWRITES if (r.hyper if hyper else not subs or set(subs) & set(r.subs))]
    for n in rng.permutation(len(options)):
        option = options[int(n)]
        for attempt in range(_TRIES // 4):
            draw = Draw(rng, task.input_shape, task.idea.instruction if task.idea else "", attempt)
            made = _apply(module, option, draw)
            if made is None:
                break
            source, text = made
            if source == task.parent_source:
                continue
            edit = EditType.HYPERPARAMETER if hyper else EditType.STRUCTURAL
            derived = None
            if purpose in (Purpose.SIMILAR, Purpose.OPPOSITE):
                sub = next((s for s in option.subs if s in subs), option.subs[0])
                derived = derived_idea(sub, option.name.replace("-", " "), f"{text}.")
            return Design(source, text, edit, derived)
    wanted = "a hyper-parameter" if hyper else " or ".join(subs) or "any idea"
    raise DesignRefusedError(_INEXPRESSIBLE, f"no rewrite expresses {wanted} on this source, which has no blueprint")


def _apply(module: _Module, option: CallRewrite, draw: Draw) -> tuple[str, str] | None:
    """Return the source with a rewrite at a random share of its places, and what was changed."""
    build: Callable[[Found], str | None] = option.prepare(draw)
    edits: list[tuple[ast.expr, str]] = []
    for call in module.calls():
        if call_name(call) not in option.calls:
            continue
        text = build(Found(call, ast.get_source_segment(module.source, call) or "", module.source))
        if text is not None:
            edits.append((call, text))
    # A call inside another one that is replaced as well would be edited twice.
    outer = [module.span(node) for node, _ in edits]
    edits = [
        (node, text)
        for node, text in edits
        if not any(
            a <= module.span(node)[0] and module.span(node)[1] <= b and (a, b) != module.span(node) for a, b in outer
        )
    ]
    if not edits:
        return None
    chosen = edits if draw.chance(0.5) else [draw.choice(edits)]
    source = module.replaced(chosen)
    needs = [name for name in COMPONENTS if any(f"{name}(" in text for _, text in chosen)]
    with_components = _with_components(source, module.tree, needs)
    if with_components is None:
        return None
    where = "everywhere" if len(chosen) == len(edits) and len(edits) > 1 else f"in line {chosen[0][0].lineno}"
    return with_components, f"{option.text(draw)} {where}"


def _with_components(source: str, tree: ast.Module, names: Sequence[str]) -> str | None:
    """Return the source with the components and imports that new calls need; None where a name is taken."""
    wanted = [name for name in COMPONENTS if name in names or any(name in NEEDS.get(n, ()) for n in names)]
    missing = []
    for name in wanted:
        if COMPONENTS[name].strip() in source:
            continue
        if any(isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name for node in tree.body):
            return None
        missing.append(COMPONENTS[name])
    body = parse_module(source).body
    first = next((n for n, node in enumerate(body) if isinstance(node, ast.ClassDef | ast.FunctionDef)), len(body))
    lines = source.splitlines(keepends=True)
    at = min(_first_line(body[first]) - 1, len(lines)) if first < len(body) else len(lines)
    inserted = "".join(f"{text}\n" for text in missing)
    head, tail = "".join(lines[:at]).rstrip("\n"), "".join(lines[at:])
    imports = _imports(source, inserted)
    if not (inserted or imports):
        return source
    return f"{head}\n{imports}\n{inserted}\n{tail}" if inserted else f"{head}\n{imports}\n\n{tail}"


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, ast.ClassDef | ast.FunctionDef) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _imports(source: str, inserted: str) -> str:
    """Return the import lines that are still missing."""
    bound = {
        alias.asname or alias.name
        for node in parse_module(source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    text = source + inserted
    lines = {
        "math": ("math.", "import math"),
        "torch": ("torch.", "import torch"),
        "nn": ("nn.", "from torch import nn"),
        "F": ("F.", "from torch.nn import functional as F"),
    }
    return "".join(f"{line}\n" for name, (use, line) in lines.items() if use in text and name not in bound)


def _with_width(source: str, factor: float) -> str:
    """Return the source with ``width`` multiplied on entry to ``Backbone.__init__``, as the contract allows.

    Raises:
        DesignRefusedError: There is no such argument.
    """
    module = _Module.read(source)
    for node in module.tree.body:
        if not isinstance(node, ast.ClassDef) or node.name != "Backbone":
            continue
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                names = [arg.arg for arg in (*item.args.args, *item.args.kwonlyargs)]
                if "width" not in names or item.body[0].lineno == item.lineno:
                    break
                lines = source.splitlines(keepends=True)
                indent = " " * item.body[0].col_offset
                lines.insert(item.body[0].lineno - 1, f"{indent}width = width * {factor:.4g}\n")
                return "".join(lines)
    raise DesignRefusedError(_INEXPRESSIBLE, "Backbone.__init__ takes no width that could be scaled")


def widened(source: str, slack: float, rng: np.random.Generator) -> Design:
    """Widen a parent without a blueprint into the slack (budget over cost, the tighter of the two).

    Raises:
        DesignRefusedError: There is no slack, or no ``width`` to scale.
    """
    most = (0.9 * slack) ** 0.5  # both costs grow about with the square of the width
    options = [f for f in (1.1, 1.25, 1.5, 1.75, 2.0) if f <= most]
    if not options:
        raise DesignRefusedError(_INEXPRESSIBLE, "no slack under the budgets to scale into")
    factor = options[int(rng.integers(len(options)))]
    return Design(_with_width(source, factor), f"all channels x{factor:g}", EditType.CAPACITY)


def narrowed(source: str, factor: float) -> Design:
    """Narrow a design without a blueprint.

    Raises:
        DesignRefusedError: There is no ``width`` to scale.
    """
    return Design(_with_width(source, factor), f"all channels x{factor:.3g}", EditType.CAPACITY)
