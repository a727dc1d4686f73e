"""Data sets, protocols and the trusted trainer."""
