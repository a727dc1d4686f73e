"""Everything of fairnad-tui that works without a terminal (FairNAD, arXiv:2605.19247)."""

__version__ = "0.1.0"
