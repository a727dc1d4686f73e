"""Foreign text on its way into a widget."""

import pytest

from fairnad_screens.text import plain, plain_line


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("  indented", 20, "  indented"),
        (" " * 500 + "far", 20, "    far"),
        ("a\n b\t c", 20, "a b c"),
        ("  much too long", 8, "  much …"),
        ("\x1b[1m[b]x[/b]", 20, "␛[1m[b]x[/b]"),
        ("   ", 20, "   "),
    ],
)
def test_one_line(text, width, shown):
    assert plain_line(text, width).plain == shown


def test_markup_is_shown_letter_by_letter():
    content = plain("[@click=app.quit]x[/] [/red]")
    assert content.plain == "[@click=app.quit]x[/] [/red]"
    assert not content.spans
