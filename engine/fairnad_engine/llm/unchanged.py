"""Whether two programs are the same but for their looks: a copy is never taken for a new design.

Of the lines that evolutionary coding agents add, about a third are re-introductions (arXiv:2605.20086); the cheapest
are found here, before anything is built. The graph's hash decides about the rest.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

from fairnad_engine.python_source import parse_module

_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def says_the_same(source: str, other: str) -> bool:
    """Whether two programs differ at most in comments, white space, docstrings and names of local variables.

    What is no Python is compared word by word.
    """
    if source.split() == other.split():
        return True
    try:
        return normal_form(source) == normal_form(other)
    except _UNREADABLE:
        return False


def normal_form(source: str) -> str:
    """A program's syntax tree as text, without docstrings and with local variables named in order of appearance.

    Raises:
        SyntaxError: It is no Python; likewise the other errors of :func:`parse_module`.
    """
    tree = parse_module(source)
    known = set(dir(builtins)) | set(_bound_outside_functions(tree))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = _without_docstring(node.body)
    for function in _outermost_functions(tree):
        _rename(function, _locals(function) - known)
    return ast.dump(tree)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:]
    return body


def _outermost_functions(node: ast.AST) -> Iterator[_Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
        else:
            yield from _outermost_functions(child)


def _locals(function: _Function) -> set[str]:
    """The variables that are assigned in a function and bound in no other way in it or in what it encloses.

    Parameters keep their names, since callers may use them; so does whatever a renaming could confuse with them.
    """
    assigned: set[str] = set()
    kept: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                assigned.add(node.id)
        elif isinstance(node, ast.arg):
            kept.add(node.arg)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            kept.update(node.names)
        elif isinstance(node, ast.ClassDef):
            kept.update(one.id for one in ast.walk(node) if isinstance(one, ast.Name))
        elif node is not function:
            kept.update(_other_names(node))
    return assigned - kept


def _bound_outside_functions(tree: ast.Module) -> Iterator[str]:
    """Names that a module or its classes bind: a local of the same name hides one, so it is not renamed."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        yield from _other_names(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo.extend(ast.iter_child_nodes(node))


def _other_names(node: ast.AST) -> Iterable[str]:
    """Names that a node binds without an :class:`ast.Name`."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return (node.name,)
    if isinstance(node, ast.alias):
        return ((node.asname or node.name).partition(".")[0],)
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return (node.name or "",)
    return (node.rest or "",) if isinstance(node, ast.MatchMapping) else ()


def _rename(function: _Function, names: set[str]) -> None:
    """Give local variables names that no program can hold, by first appearance."""
    given: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in names:
            node.id = given.setdefault(node.id, f"#{len(given)}")
