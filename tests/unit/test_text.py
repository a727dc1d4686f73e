"""Foreign text, made safe to show."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairnad_engine.places import expanded
from fairnad_engine.text import is_plain, sanitize, single_line


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\x00b", "a␀b"),
        ("\u202eevil", "<U+202E>evil"),
        ("zero\u200bwidth", "zero<U+200B>width"),
        ("\x9b31m", "<U+009B>31m"),
        ("bell\x07", "bell␇"),
        ("two\nlines", "two␊lines"),
        ("é wide 漢字 👍", "é wide 漢字 👍"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
    ],
)
def test_what_acts_is_shown(raw, shown):
    assert sanitize(raw) == shown


@given(st.text(alphabet=st.characters()))
def test_nothing_that_acts_is_left_and_nothing_plain_is_lost(raw):
    shown = sanitize(raw, keep_newlines=True)
    assert is_plain(shown.replace("\n", ""))
    kept = [c for c in raw if is_plain(c) or c == "\n"]
    position = 0
    for character in kept:
        position = shown.index(character, position) + 1


@given(st.text(), st.integers(1, 80))
def test_a_single_line_fits(raw, width):
    line = single_line(raw, width)
    assert "\n" not in line
    assert len(line) <= width


def test_a_home_of_nobody_stays_as_it_is_written():
    assert expanded("~no-such-user/images") == Path("~no-such-user/images")
    assert expanded("~/images") == Path.home() / "images"
