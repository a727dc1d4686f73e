"""Grounding: a quote is found despite line breaks, hyphens and typographic signs, and nothing else is forgiven."""

from __future__ import annotations

import pytest

from fairnad_engine.knowledge.grounding import locate

TEXT = (
    "We replace the 3×3 convo-\nlution by a “large” kernel – it helps.\n"
    "Window-based self-attention is ﬁne and costs\n  less. The **gate** follows."
)


def found(quote, text=TEXT):
    place = locate(quote, text)
    assert place is not None
    return text[slice(*place.span)], place.method, place.score


def test_exact():
    assert found("by a “large” kernel") == ("by a “large” kernel", "exact", 1.0)
    assert found("  kernel – it helps.\n") == ("kernel – it helps.", "exact", 1.0)


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ('by a "large" kernel', "by a “large” kernel"),
        ("the 3x3 convolution by", "the 3×3 convo-\nlution by"),
        ("window-based self-attention"[1:], "indow-based self-attention"),
        ("Window based self attention is fine", "Window-based self-attention is ﬁne"),
        ("costs less.", "costs\n  less."),
        ("kernel - it helps", "kernel – it helps"),
        ("The gate follows", "The **gate** follows"),
    ],
)
def test_tolerant(quote, stands):
    text, _, score = found(quote)
    assert text == stands
    assert 0.5 < score <= 1.0


def test_a_tolerant_match_says_so():
    _, method, score = found("the 3x3 convolution by")
    assert method == "tolerant"
    assert score < 1.0


@pytest.mark.parametrize("quote", ["", "  \n", "* - *", "a small kernel", "the 5x5 convolution", "less. The gates"])
def test_what_is_not_there(quote):
    assert locate(quote, TEXT) is None


def test_whole_words_come_first():
    assert found("act", "exact act")[0] == "act"
    assert locate("act", "exact act").span == (6, 9)
    assert locate("xac", "exact").span == (1, 4)


def test_the_hyphen_of_a_minus_is_not_forgiven():
    assert locate("a - b", "a – b").method == "tolerant"
    assert locate("a b c", "a - b c") is None
