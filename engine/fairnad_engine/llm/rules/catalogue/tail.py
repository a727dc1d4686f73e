"""Last stage and feature pooling: from a feature map to logits."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Blueprint, PoolKind
from .draw import Change, Draw
from .registry import hyperparameter, inverse, transformation

_POOLS: dict[PoolKind, str] = {
    "gem": r"generali[sz]ed|gem\b|power",
    "mixed": r"mix|learn|combin|both",
    "max": r"max",
    "pyramid": r"pyramid|scale|grid",
}
_POOL_NAMES = {
    "gem": "generalised mean",
    "mixed": "mean and maximum mixed",
    "max": "maximum",
    "pyramid": "whole and by quarters",
}


@transformation("generalised-pooling", "tail.generalised-pooling")
def generalised(b: Blueprint, draw: Draw) -> Change | None:
    """Pool the last features by more than their mean."""
    pool = draw.named({kind: words for kind, words in _POOLS.items() if kind != b.tail.pool})
    return Change(replace(b, tail=replace(b.tail, pool=pool)), f"last pooling: {_POOL_NAMES[pool]}")


@transformation("attention-pooling", "tail.attention-pooling")
def attention(b: Blueprint, draw: Draw) -> Change | None:
    """Pool the last features by a learnt softmax over positions."""
    heads = draw.number("heads", (1, 2, 4))
    text = f"last pooling: attention, {heads} map{'s' if heads > 1 else ''}"
    return Change(replace(b, tail=replace(b.tail, pool="attention", heads=heads)), text)


@transformation("final-expansion", "tail.final-expansion")
def expansion(b: Blueprint, draw: Draw) -> Change | None:
    """Widen the last features before the classifier."""
    factor = float(draw.number("expansion", (1.5, 2, 3, 4)))
    late = draw.named(
        {False: r"before (?:the )?(?:global )?pool|1\s*[x×]\s*1", True: r"after (?:the )?(?:global )?pool|fully|linear"}
    )
    new = replace(b, tail=replace(b.tail, expansion=factor, late=late))
    return Change(new, f"last features widened x{factor:g} {'behind' if late else 'before'} the pooling")


@inverse("plain-tail", "tail.generalised-pooling", "tail.attention-pooling", "tail.final-expansion")
def plain(b: Blueprint, draw: Draw) -> Change | None:
    """Average the last features and classify them."""
    return Change(replace(b, tail=replace(b.tail, pool="avg", expansion=0.0, late=False)), "plain tail")


@hyperparameter("classifier-dropout")
def dropout(b: Blueprint, draw: Draw) -> Change | None:
    """Change the dropout before the classifier."""
    rate = draw.choice([r for r in (0.0, 0.05, 0.1, 0.2) if r != b.tail.dropout])
    return Change(replace(b, tail=replace(b.tail, dropout=rate)), f"dropout {rate} before the classifier")
