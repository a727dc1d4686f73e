"""The contract of a candidate's source, and the fast check that tells a model early what breaks it.

A candidate is one Python module with ``class Backbone(nn.Module)``, ``__init__(self, in_channels, num_classes,
width=1.0)`` and logits out (method, section 2). The check here reads the text only. It is feedback, never
protection: what a module may do is decided by the jail.

By hand a file need not follow the contract: an :class:`Entry` names any class or function of it and the keywords that
it is called with.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairnad_engine.python_source import parse_module

MAX_SOURCE_BYTES = 200_000
MAX_AST_DEPTH = 120
ALLOWED_IMPORTS = frozenset({"torch", "math", "typing", "functools", "collections", "dataclasses", "__future__"})


@dataclass(frozen=True)
class ContractProblem:
    """One breach of the contract.

    Attributes:
        kind: Failure class: ``syntax``, ``contract`` or ``import``.
        message: What is wrong and where.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class Entry:
    """What of a module is built, and how it is called.

    Attributes:
        name: Class, or function that returns a ``nn.Module``.
        keywords: Python literals that it is called with, by name; None stands for the contract's arguments.
        allow_imports: Top-level packages that the module may import beyond the contract's.
    """

    name: str = "Backbone"
    keywords: dict[str, Any] | None = None
    allow_imports: frozenset[str] = field(default_factory=frozenset)

    @property
    def follows_contract(self) -> bool:
        """Whether it is called with channels, classes and width, so that a width can be fitted."""
        return self.keywords is None

    def request(self) -> dict[str, Any]:
        """The part of a jail request that says what to build; nothing where the contract says it."""
        if self.keywords is None:
            return {}
        # As text, because JSON has no tuples.
        return {"entry": {"name": self.name, "keywords": repr(self.keywords)}}


CONTRACT = Entry()


def check_source(
    source: str, allow_imports: frozenset[str] = frozenset(), entry: Entry = CONTRACT
) -> ContractProblem | None:
    """Return the first breach of the contract in ``source``, or None.

    Args:
        source: The module's text.
        allow_imports: Top-level packages that may be imported beyond those of the contract.
        entry: What will be built; one that does not follow the contract need only be there.
    """
    if len(source.encode("utf-8", "replace")) > MAX_SOURCE_BYTES:
        return ContractProblem("contract", f"source is longer than {MAX_SOURCE_BYTES} bytes")
    if "\0" in source:
        return ContractProblem("syntax", "source contains a NUL character")
    try:
        tree = parse_module(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        return ContractProblem("syntax", f"{where}{getattr(error, 'msg', None) or error}")
    if _depth(tree) > MAX_AST_DEPTH:
        return ContractProblem("contract", f"source is nested deeper than {MAX_AST_DEPTH} levels")
    allowed = ALLOWED_IMPORTS | allow_imports | entry.allow_imports
    return _check_imports(tree, allowed) or (_check_class(tree) if entry.follows_contract else _check_name(tree, entry))


def _depth(tree: ast.AST) -> int:
    deepest, stack = 0, [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        if depth <= MAX_AST_DEPTH:
            stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


def _check_imports(tree: ast.Module, allowed: frozenset[str]) -> ContractProblem | None:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        for name in names:
            assert isinstance(node, (ast.Import, ast.ImportFrom))  # noqa: S101 - no other node has names
            if name.split(".")[0] not in allowed:
                return ContractProblem(
                    "import", f"line {node.lineno}: import of {name!r}; only torch and math are there"
                )
    return None


def _check_name(tree: ast.Module, entry: Entry) -> ContractProblem | None:
    names = list(_bound_names(tree))
    if entry.name in names or "*" in names:
        return None
    there = ", ".join(names[:20]) or "nothing"
    return ContractProblem("contract", f"no class or function {entry.name!r} in it; it defines {there}")


def _bound_names(node: ast.AST) -> Iterator[str]:
    """Names that the module's own level binds, also inside ``if`` and ``try``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
            yield child.name
        elif isinstance(child, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in child.names)
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif not isinstance(child, (ast.AsyncFunctionDef, ast.Lambda)):
            yield from _bound_names(child)


def _check_class(tree: ast.Module) -> ContractProblem | None:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Backbone"]
    if not classes:
        return ContractProblem("contract", "no top-level class Backbone(nn.Module)")
    methods = {node.name: node for node in classes[-1].body if isinstance(node, ast.FunctionDef)}
    init = methods.get("__init__")
    if init is None or "forward" not in methods:
        return ContractProblem("contract", "class Backbone needs __init__ and forward")
    arguments = [argument.arg for argument in init.args.args + init.args.kwonlyargs]
    for needed in ("in_channels", "num_classes", "width"):
        if needed not in arguments:
            return ContractProblem(
                "contract",
                f"line {init.lineno}: __init__ lacks {needed!r}; write "
                "__init__(self, in_channels, num_classes, width=1.0)",
            )
    return None
