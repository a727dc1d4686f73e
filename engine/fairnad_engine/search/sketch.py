"""How alike two backbones' sources are, whatever their authors called things: Jaccard similarity over syntax.

The filter of method, section 7 (arXiv:2605.04903 uses MinHash). An archive holds hundreds of sources, not millions, so
the similarity that MinHash would estimate is computed as it is, and no estimate's error decides about a proposal.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections import Counter
from collections.abc import Iterator

from fairnad_engine.python_source import parse_module

Sketch = frozenset[int]

_LENGTH = 5  # syntax tokens of a shingle
_CACHED = 4096  # sources; a run proposes a few for each that it trains
# Names that mean the same in every source; all others are the author's and count by their place.
_FIXED = frozenset({"torch", "nn", "F", "math", "self", "super", "functional", "forward", "__init__", "width"})


@functools.lru_cache(maxsize=_CACHED)
def sketch(source: str) -> Sketch | None:
    """Return a source's shingles: hashes of token rows in each definition, with how often each occurred.

    Comments, docstrings, annotations, the author's names, the order of definitions and all but the first digit of a
    fraction leave no trace.

    Returns:
        The shingles, or None where the source is no Python.
    """
    try:
        tree = parse_module(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: Counter[str] = Counter()
    for body in _definitions(tree):
        row = list(_tokens(body))
        found.update(" ".join(row[n : n + _LENGTH]) for n in range(max(1, len(row) - _LENGTH + 1)))
    return frozenset(_hash(f"{text} {n}") for text, times in found.items() for n in range(times))


def similarity(one: Sketch, other: Sketch) -> float:
    """Return the Jaccard similarity of two sketches, 0 to 1."""
    union = len(one | other)
    return len(one & other) / union if union else 1.0


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _definitions(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield functions, methods and the statements outside of them: what may stand in any order."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.ClassDef):
            waiting += [*node.bases, *node.body]
        elif not isinstance(node, ast.Import | ast.ImportFrom) and not _is_text(node):
            yield node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _tokens(node: ast.AST) -> Iterator[str]:
    """Yield a tree's syntax tokens, parents first."""
    names: dict[str, str] = {}

    def name(text: str) -> str:
        return text if text in _FIXED else names.setdefault(text, f"v{len(names)}")

    def walk(one: ast.AST) -> Iterator[str]:
        if _is_text(one):
            return
        if isinstance(one, ast.Constant):
            yield f"{one.value:.0e}" if isinstance(one.value, float) else repr(one.value)
        elif isinstance(one, ast.Name):
            yield name(one.id)
        elif isinstance(one, ast.arg):
            yield name(one.arg)
        elif isinstance(one, ast.Attribute):
            yield from walk(one.value)
            # What hangs on the libraries is theirs: nn.Conv2d, F.relu, x.mean; what hangs on self is the author's.
            own = isinstance(one.value, ast.Name) and one.value.id == "self"
            yield f".{name(one.attr) if own else one.attr}"
        else:
            yield type(one).__name__
            if isinstance(one, ast.keyword):
                yield one.arg or "**"
            for field, value in ast.iter_fields(one):
                if field in ("annotation", "returns", "type_comment", "ctx", "decorator_list"):
                    continue
                for child in value if isinstance(value, list) else (value,):
                    if isinstance(child, ast.AST):
                        yield from walk(child)

    yield from walk(node)
