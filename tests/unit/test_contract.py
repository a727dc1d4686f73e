"""The fast check of a candidate's text."""

import pytest

from fairnad_engine.backbone.contract import check_source

GOOD = """
import math
import torch.nn as nn
from torch import nn as n2

class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
    def forward(self, x):
        return x
"""


def test_a_good_source_passes():
    assert check_source(GOOD) is None


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("class Backbone(", "syntax", "line 1"),
        ("x = 1\0", "syntax", "NUL"),
        ("x = 1", "contract", "no top-level class"),
        (GOOD.replace("import math", "import os"), "import", "'os'"),
        (GOOD.replace("import math", "from os import path"), "import", "'os'"),
        (GOOD.replace("import math", "from . import x"), "import", "line 2"),
        (GOOD.replace(", width=1.0", ""), "contract", "'width'"),
        (GOOD.replace("def forward", "def other"), "contract", "forward"),
        (GOOD + "#" * 300_000, "contract", "longer than"),
        (GOOD + "x = " + "(" * 90 + "1" + ")" * 90 + "+1" * 200, "contract", "nested"),
    ],
)
def test_breaches_are_named(source, kind, text):
    problem = check_source(source)
    assert problem is not None
    assert problem.kind == kind
    assert text in problem.message


def test_a_further_import_may_be_allowed():
    source = GOOD.replace("import math", "import timm")
    assert check_source(source).kind == "import"
    assert check_source(source, frozenset({"timm"})) is None
