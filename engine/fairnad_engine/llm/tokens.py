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
_SMALLEST_CAP = 1024  # Half of the smallest context that servers come with.

_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
"""Thai, Lao, Khmer, kana, Han and Hangul: scripts whose words do not show by blanks."""

_LETTER = rf"(?:(?![{_UNSPACED}])[^\W\d_])"
_SIGN = r"(?:[^\w\s]|_)"
_APART = re.compile(
    # No vocabulary has words much longer than 16 letters; what goes on comes in pieces.
    rf"(?<![^\W\d_]){_LETTER}{{1,16}}|{_LETTER}{{10}}|[{_UNSPACED}]{{1,3}}|\d{{1,3}}"
    # A single sign between two words, as in ``self.conv``, may be a part of what follows.
    rf"|{_SIGN}{{2,}}|(?<=[ \t]){_SIGN}|{_SIGN}(?![^\W\d_])|(?<=[^\W_])[ \t]*\n"
)
_PIECES = re.compile(
    r"(?P<mixed>[A-Za-z0-9]{16,})|(?P<letters>[A-Za-z]+)|(?P<wide>[^\x00-\x7f]+)"
    r"|(?P<blank>[ \t]{2,}|[\r\n]+| (?=\d))|[^ ]"
)


def fewest_tokens(text: str) -> int:
    """Tokens that a text has at least.

    The tokenizers in use split at word borders before anything else, so each word, each run of signs and each line's
    end after a word costs one or more; digits, and letters of scripts without blanks, are joined three at a time at
    most. Of the true number that is 0.6 to 0.8 for English and for code, 0.3 to 0.5 for Chinese (as counted by the
    tokenizers of Qwen, Mistral 7B and Mistral Nemo).
    """
    return int(_CERTAINTY * len(_APART.findall(text)))


def most_tokens(text: str) -> int:
    """Tokens that a text has at most: one for two or three letters, and one for each other character or byte."""
    total = _CHAT_MARKUP
    for piece in _PIECES.finditer(text):
        length = len(piece[0])
        match piece.lastgroup:
            case "letters":
                total += -(-length // 3)
            case "mixed":  # no language: a name, a hash, data
                total += -(-2 * length // 3) if piece[0].isalpha() else length
            case "wide":
                total += len(piece[0].encode("utf-8", "replace"))
            case _:
                total += 1
    return total


def left_by_a_cap(read: int, most: int) -> bool:
    """Whether so many tokens are what a server's own cap leaves of a prompt that has ``most`` at most.

    Contexts are powers of two, and of a prompt that does not fit servers keep the end: as much as the context holds, or
    half of it. A prompt that by chance has that many tokens looks the same, about 3 in 1,000.
    """
    below = 1 << max(0, read.bit_length() - 1)
    near = any(abs(read - cap) <= 1 for cap in (below, 2 * below) if cap >= _SMALLEST_CAP)
    return near and most > read


def context_for(tokens: int) -> int:
    """The context size to ask for: the next power of two, from :data:`SMALLEST_CONTEXT` upward."""
    context = SMALLEST_CONTEXT
    while context < tokens:
        context *= 2
    return context
