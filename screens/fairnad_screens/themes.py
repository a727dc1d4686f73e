"""Themes and the plot palette; no meaning is carried by colour alone."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="fairnad-dark",
    primary="#7aa2f7",
    secondary="#56b4e9",
    accent="#e69f00",
    foreground="#d8dee9",
    background="#11151c",
    surface="#171c26",
    panel="#212836",
    success="#00b386",
    warning="#e6c229",
    error="#e8704e",
    dark=True,
)
LIGHT = Theme(
    name="fairnad-light",
    primary="#1d5fa8",
    secondary="#0072b2",
    accent="#a85b00",
    foreground="#1c2430",
    background="#fbfbf8",
    surface="#f1f1ec",
    panel="#e4e4dc",
    success="#00775a",
    warning="#8a6d00",
    error="#b3401f",
    dark=False,
)
THEMES = ("fairnad-dark", "fairnad-light", "ansi-dark", "ansi-light")

# Okabe and Ito's palette, distinguishable with every common colour-vision deficiency; the ansi form is for 16 colours.
PLOT_PALETTE = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
PLOT_PALETTE_ANSI = (
    "ansi_yellow",
    "ansi_cyan",
    "ansi_green",
    "ansi_bright_yellow",
    "ansi_blue",
    "ansi_red",
    "ansi_magenta",
)


def plot_palette(theme: str) -> tuple[str, ...]:
    """The colours of series under a theme."""
    return PLOT_PALETTE_ANSI if theme.startswith("ansi") else PLOT_PALETTE
