"""Reading Python text as a syntax tree, from any thread."""

from __future__ import annotations

import ast
import threading
import warnings
from typing import Literal

# CPython 3.11 counts the depth of the tree it builds in one place for all threads: two that parse at the same time
# end in "SystemError: AST constructor recursion depth mismatch". Filters of warnings are one for all threads, too.
_ONE_AT_A_TIME = threading.Lock()


def parse_module(source: str) -> ast.Module:
    """Parse a module; warnings about its text are nobody's here.

    Raises:
        SyntaxError: It is no Python.
        ValueError: It holds a NUL character.
        RecursionError: It is nested too deeply.
        MemoryError: Likewise, for the parser.
    """
    tree = _parse(source, "exec")
    assert isinstance(tree, ast.Module)  # noqa: S101 - what the mode gives
    return tree


def parse_expression(text: str) -> ast.Expression:
    """Parse one expression; raises as :func:`parse_module`."""
    tree = _parse(text, "eval")
    assert isinstance(tree, ast.Expression)  # noqa: S101 - what the mode gives
    return tree


def _parse(text: str, mode: Literal["exec", "eval"]) -> ast.AST:
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode=mode)
