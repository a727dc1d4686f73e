"""How many tokens a text has at least and at most, for a model whose tokenizer is not at hand.

A server that cuts a prompt short says nothing about it, so the number of tokens that it reports is held against
the least that the prompt can have; and the context that is asked for has room for the most.
"""

from __future__ import annotations

import re

SMALLEST_CONTEXT = 4096
LARGEST_CONTEXT = 32768
"""The most that is asked for where no setting says otherwise; also what is assumed of a server that says nothing."""

_CERTAINTY = 0.9  # Rare tokenizers join a short word to its neighbour.
_CHAT_MARKUP = 64  # Role markers and the like that a chat template adds.
_LONG_RUN = 15
_APART = re.compile(r"[^\W\d_]+|(?<!\S)[^\w\s]+(?!\S)|(?<=[^\W_])[ \t]*\n")
_DIGITS = re.compile(r"\d+")
_PIECES = re.compile(r"(?P<letters>[A-Za-z]+)|(?P<wide>[^\x00-\x7f]+)|(?P<blank>[ \t]{2,}|[\r\n]+)|[^ ]")


def fewest_tokens(text: str) -> int:
    """Tokens that a text has at least.

    The tokenizers in use split at word borders before anything else, so each run of letters, each sign between
    spaces and each line's end after a word costs one or more, and digits are joined three at a time at most.
    """
    words = sum(1 for _ in _APART.finditer(text))
    numbers = sum(-(-len(run[0]) // 3) for run in _DIGITS.finditer(text))
    return int(_CERTAINTY * (words + numbers))


def most_tokens(text: str) -> int:
    """Tokens that a text has at most: one for two or three letters, and one for each other character or byte."""
    total = _CHAT_MARKUP
    for piece in _PIECES.finditer(text):
        length = len(piece[0])
        if piece["letters"]:
            total += -(-length // 3) if length <= _LONG_RUN else -(-length // 2)
        elif piece["wide"]:
            total += len(piece[0].encode("utf-8", "replace"))
        else:
            total += 1
    return total


def context_for(tokens: int) -> int:
    """The context size to ask for: the next power of two, from :data:`SMALLEST_CONTEXT` upward."""
    context = SMALLEST_CONTEXT
    while context < tokens:
        context *= 2
    return context
