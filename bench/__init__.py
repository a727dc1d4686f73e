"""Benchmarks: ratios taken in one run, written with the machine to ``docs/benchmarks.md``."""
