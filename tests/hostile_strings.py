"""A thousand strings that a paper, a model or a person may bring, made to break what shows or exports them."""

from __future__ import annotations

import random
from functools import lru_cache

SEED = 1905
NUMBER = 1000
LONG = 100_000

_MARKUP = (
    "[/", "[/b]", "[bold", "[bold]x", "[@click=app.quit]x[/]", "[link='http://x']y[/link]", "\\[b]", "[[", "]]",
    "[#ff0000 on blue]c[/]", "[$error]d", "{{ 7 * 7 }}", "{% for x in y %}", "</text><script>x</script>", "&amp;<b>",
    "`code`", "| a | b |", "**bold**", "# title", "- item", "![i](x)", "<!-- c -->", "]]>", "=1+1", "@SUM(A1)", "+2",
    "'quoted", '"quoted"', "a;b,c", "%s %d", "{0}", "\\u001b", "<U+001B>", "␛",
)  # fmt: skip
# The numbers are none that the program itself would write.
_SEQUENCES = (
    "\x1b[31337m", "\x1b[31337;31337H", "\x1b[31337J", "\x1b]0;gone\x07", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;!hostile!\x07", "\x1bP$q\"p\x1b\\", "\x1b_Gi=1\x1b\\", "\x1b^pm\x1b\\", "\x1bc",
    "\x1b[6n", "\x1b[?31337h",
    "\x1b", "\x9b31337m", "\x9d0;gone\x9c", "\x90q\x9c", "\x85", "\x84", "\x8d", "\x07", "\x08\x08", "\x7f", "\0",
    "\x0e", "\x0f", "\x05", "\x1c\x1d\x1e\x1f", "\x0b", "\x0c", "\r", "\r\n", "over\rwritten",
)  # fmt: skip
_INVISIBLE = (
    "\u202eevil\u202c", "\u2066left\u2069", "\u2067\u2068\u2069", "\u200f", "\u061c", "\u200b", "\u200c", "\u200d",
    "\u2060", "\ufeff", "\u00ad", "\u180e", "\u3164", "\u2028", "\u2029", "\ufff9a\ufffab\ufffb",
    "\U000e0041\U000e007f",
    "\ufe0f", "\U000e0101", "\u115f", "\ufffe", "\uffff",
)  # fmt: skip
_VISIBLE = (
    "漢字かな交じり文", "한국어", "１２３", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👍🏽", "e\u0301",
    "Z" + "\u0310\u0489\u0321" * 12, "नमस्ते", "שלום",
    "مرحبا", "\ue000\uf8ff", "\U0010fffd", "ﷺ", "🙂", "\u00a0nbsp\u00a0", "\u3000", "\u2003em",
    "é", "ß", "İ", "\ufffd",
)  # fmt: skip
_PLAIN = ("Use depthwise convolution", "in the stem", "a", " ", "  two", "\t", "\n", "\n\n", "tab\there", "end ")
_SURROGATES = ("\ud800", "\udfff", "\udc80x", "x\ud83d")
_KINDS = (_MARKUP, _SEQUENCES, _INVISIBLE, _VISIBLE, _PLAIN)


@lru_cache(maxsize=1)
def hostile_strings() -> tuple[str, ...]:
    """All of them, each another one; SQLite and UTF-8 can hold them."""
    rng = random.Random(SEED)
    alone = [piece for kind in _KINDS[:4] for piece in kind]
    made = [_mixed(rng) for _ in range(NUMBER - len(alone) - 4)]
    return (*alone, *made, *_long(rng))


@lru_cache(maxsize=1)
def with_surrogates() -> tuple[str, ...]:
    """Some with lone surrogates, which only JSON can hold."""
    rng = random.Random(SEED)
    return tuple(f"{_mixed(rng)}{rng.choice(_SURROGATES)}{_mixed(rng)}" for _ in range(40))


def _mixed(rng: random.Random) -> str:
    pieces = [rng.choice(rng.choice(_KINDS)) for _ in range(rng.randint(2, 7))]
    rng.shuffle(pieces)
    return f"{''.join(pieces)}{rng.randrange(10**6)}"


def _long(rng: random.Random) -> tuple[str, ...]:
    return (
        "x" * LONG,
        "漢" * (LONG // 2),
        "\n".join(_mixed(rng) for _ in range(2000)),
        "word \x1b[31337m" * (LONG // 12),
    )
