"""A small search, small enough for tests: two generations of every stage on digits."""

import pytest

SMALL = """
name = "small"
[papers]
sources = ["samples"]
[model]
llm = "rules"
[data]
dataset = "digits"
protocol = "smoke"
[budget]
trained = 8
max_params = 60_000
max_macs = 3_000_000
[search]
seed = 11
seed_backbone = "digits-small"
stages = [2, 2, 1]
[machine]
workers = 2
"""


@pytest.fixture
def small_config(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path
