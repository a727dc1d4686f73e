"""Grounding: a quote is found despite line breaks, hyphens, typographic signs and slips of the pen, no other words."""

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


PAPER = (
    "Each stage begins with a strided convolution.\n\n"
    "We replace the symmetric depthwise 7x7 convolution by two large-\nkernel branches, and add their outputs "
    "(79.4 % top-1), since the small “branch” learns more slowly than the other one.\n"
    "The linear layer is kept. Nothing else in the block is changed at all, we stress."
)
SENTENCE = "replace the symmetric depthwise 7x7 convolution by two large-kernel branches, and add their outputs"


@pytest.mark.parametrize(
    ("right", "slip"),
    [
        ("convolution", "convlution"),
        ("convolution", "connvolution"),
        ("convolution", "convelution"),
        ("convolution", "convoultion"),
        ("depthwise", "bepthwise"),
        ("their", "thier"),
        ("two", "twoo"),
    ],
)
def test_a_slip_of_the_pen_is_forgiven(right, slip):
    text, method, score = found(SENTENCE.replace(right, slip), PAPER)
    assert method == "fuzzy"
    assert " ".join(text.replace("large-\nkernel", "large-kernel").split()) == SENTENCE
    assert 0.95 < score < 1


def test_a_slip_in_each_of_three_words():
    quote = "Rplace the symmetric depthwise 7×7 convoluton by two large kernel branches and add their ouptuts"
    text, method, _ = found(quote, PAPER)
    assert method == "fuzzy"
    assert text.startswith("replace the") and text.endswith("their outputs")


def test_the_sign_at_the_end_belongs_to_it():
    quote = "two large-kernel branches, and add thier outputs (79.4 % top-1), since"
    assert found(quote, PAPER)[0].endswith("(79.4 % top-1), since")
    assert (
        found("We replace the symmetric depthwise 7x7 convolution by two lagre-kernel branches,", PAPER)[0][-1] == ","
    )


@pytest.mark.parametrize(
    ("right", "other"),
    [
        ("depthwise ", ""),
        ("symmetric", "asymmetric"),
        ("large", "small"),
        ("two", "few"),
        ("7x7", "5x5"),
        ("7x7", "7x"),
        ("replace", "never replace"),
        ("and add", "or add"),
        ("large-kernel branches", "branches of large-kernel"),
        ("large-kernel", "large-krnl"),
        (SENTENCE, "replace the convolution"),
        (SENTENCE, "The linaer layer is kept."),
        ("their outputs", "their outputs (79.5 % top-1)"),
        ("their outputs", "their ouptuts (79.4 top-1)"),
    ],
)
def test_another_word_number_or_sign_is_no_slip(right, other):
    assert right in SENTENCE
    assert locate(SENTENCE.replace(right, other), PAPER) is None


def test_a_slip_that_makes_another_word_of_the_paper_is_none():
    quote = "since the small branch learns more slowly than the other one"
    assert found(quote.replace("slowly", "slowyl"), PAPER)[1] == "fuzzy"
    assert locate(quote.replace("other", "their"), PAPER) is None
    swaps = PAPER + " Lean blocks and learn rates: the leans."
    assert locate(quote.replace("learns", "leans"), swaps) is None


def test_one_word_in_four_at_most():
    one = "Nothing else in the block is changed at all, we stress"
    assert found(one.replace("Nothing", "Nohting").replace("block", "blcok"), PAPER)[1] == "fuzzy"
    three = one.replace("Nothing", "Nohting").replace("block", "blcok").replace("changed", "chagned")
    assert len(one.split()) == 11
    assert locate(three, PAPER) is None


def test_a_quote_of_nothing_but_a_pattern_is_not_searched():
    assert locate("ab" * 150 + "c", "ba" * 5000) is None


@pytest.mark.parametrize("blank", [" ", "\n", "\u200b", "\u00ad"])
@pytest.mark.parametrize(
    "quote", ["Use a wide kernel in each stage of the network", "Use a wide kernel in ecah stage of the network"]
)
def test_a_page_of_blanks_is_no_passage(quote, blank):
    def text(number):
        return f"So: Use a wide{blank * number} kernel in each stage of the network."

    assert locate(quote, text(40)) is not None
    assert locate(quote, text(4000)) is None
