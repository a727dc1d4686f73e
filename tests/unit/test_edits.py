"""Search and replace: what is found, what is refused, and how a refusal says what would fit."""

import json
from typing import ClassVar

import pytest

from fairnad_engine.errors import InputError
from fairnad_engine.llm.edits import Edit, EditMismatchError, EditSettings, apply_edits, conflict_blocks
from fairnad_engine.llm.unchanged import says_the_same
from fairnad_engine.search.config import RunConfig, parse_config

PROGRAM = """import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        hidden = max(8, int(16 * width))
        self.stem = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.act = nn.ReLU()
        self.body = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.act2 = nn.ReLU()
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, x):
        x = self.act(self.stem(x))
        x = self.act2(self.body(x))
        return self.head(x.mean((2, 3)))
"""
STEM = "        self.stem = nn.Conv2d(in_channels, hidden, 3, padding=1)\n"
BODY = "        self.body = nn.Conv2d(hidden, hidden, 3, padding=1)\n"


def edited(*pairs, program=PROGRAM):
    return apply_edits(program, [Edit(*pair) for pair in pairs])


def refusal(*pairs, program=PROGRAM):
    with pytest.raises(EditMismatchError) as caught:
        edited(*pairs, program=program)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestFound:
    def test_whole_lines(self):
        assert edited((BODY, BODY.replace("3, padding=1", "5, padding=2"))) == PROGRAM.replace(
            BODY, BODY.replace("3, padding=1", "5, padding=2")
        )

    def test_a_part_of_a_line(self):
        assert edited(("x.mean((2, 3))", "x.amax((2, 3))")) == PROGRAM.replace("x.mean", "x.amax")

    def test_lines_whose_first_one_lacks_its_indentation(self):
        search = (STEM + "        self.act = nn.ReLU()").strip()
        new = "self.stem = nn.Identity()\n        self.act = nn.GELU()"
        assert edited((search, new)) == PROGRAM.replace(search, new)

    def test_a_whole_line_goes_before_a_part_of_another(self):
        program = "x = 1\nx = 10\n"
        assert edited(("x = 1", "x = 2"), program=program) == "x = 2\nx = 10\n"

    def test_several_in_any_order(self):
        pairs = [(STEM, STEM.replace("3, padding=1", "1")), (BODY, BODY.replace("3, padding=1", "1"))]
        assert edited(*pairs) == edited(*reversed(pairs)) == PROGRAM.replace("hidden, 3, padding=1", "hidden, 1")

    def test_all_refer_to_the_program_as_shown(self):
        """What one edit writes is not what another one finds."""
        assert "its search text is not in" in refusal(
            (STEM, "        self.new = 1\n"), ("self.new = 1", "self.new = 2")
        )
        swapped = edited(("self.act = nn.ReLU()", "self.act = 2"), ("self.act2 = nn.ReLU()", "self.act = nn.ReLU()"))
        assert swapped == PROGRAM.replace("self.act = nn.ReLU()", "self.act = 2").replace(
            "self.act2 = nn", "self.act = nn"
        )

    def test_nothing_in_place_of_lines_takes_the_line_along(self):
        assert edited((BODY, "")) == PROGRAM.replace(BODY, "")
        assert edited((BODY.strip("\n"), "\n")) == PROGRAM.replace(BODY, "")

    def test_neighbours_are_no_overlap(self):
        assert (
            edited((STEM, "        a = 1\n"), ("        self.act = nn.ReLU()\n", "        b = 2\n")).count(
                "a = 1\n        b = 2"
            )
            == 1
        )

    @pytest.mark.parametrize("program", [PROGRAM, PROGRAM.replace("\n", "\r\n"), PROGRAM.replace("\n", "\r")])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_line_ends(self, program, end):
        search = (STEM + "        self.act = nn.ReLU()\n").replace("\n", end)
        new = "        self.stem = nn.Identity()\n        self.act = nn.SiLU()\n"
        assert edited((search, new.replace("\n", end)), program=program) == PROGRAM.replace(
            STEM + "        self.act = nn.ReLU()\n", new
        )

    def test_tabs_for_spaces_and_trailing_blanks(self):
        search = "\t\tself.act = nn.ReLU()  \n\t\tself.body = nn.Conv2d(hidden, hidden, 3, padding=1)"
        found = edited((search, "\t\tself.act = nn.GELU()\n\t\tself.body = nn.Identity()"))
        assert "\t" not in found
        compile(found, "found", "exec")
        assert "        self.act = nn.GELU()\n        self.body = nn.Identity()\n" in found

    def test_a_program_with_tabs_keeps_them(self):
        program = PROGRAM.replace("    ", "\t")
        found = edited(("        self.act = nn.ReLU()", "\t\tself.act = nn.GELU()"), program=program)
        assert found == program.replace("self.act = nn.ReLU()", "self.act = nn.GELU()")

    @pytest.mark.parametrize("columns", [0, 4, 12])
    def test_lines_indented_otherwise(self, columns):
        pad = " " * columns
        search = f"{pad}self.act2 = nn.ReLU()\n{pad}self.head = nn.Linear(hidden, num_classes)"
        new = f"{pad}if True:\n{pad}    self.act2 = nn.GELU()\n\n{pad}self.head = nn.Linear(hidden, num_classes)"
        found = edited((search, new))
        compile(found, "found", "exec")
        assert "        if True:\n            self.act2 = nn.GELU()\n\n        self.head" in found

    def test_last_line_without_an_end(self):
        assert edited(("b = 2", "b = 3"), program="a = 1\nb = 2") == "a = 1\nb = 3\n"


class TestRefused:
    def test_nearest_passage_can_be_copied(self):
        said = refusal(("        self.act2 = nn.ReLU6()\n        self.head = nn.Linear(hidden, 10)", "x"))
        assert said.startswith("edit 1: its search text is not in the program; the nearest lines 12 to 13 are ")
        quoted = said.split(" are ", 1)[1]
        passage = json.loads(quoted)
        assert passage == "        self.act2 = nn.ReLU()\n        self.head = nn.Linear(hidden, num_classes)"
        assert edited((passage, "        self.head = nn.Identity()")) != PROGRAM

    def test_the_mended_edit_is_the_named_one(self):
        assert refusal((BODY, ""), ("        x = self.act3(x)", "")).startswith("edit 2: ")
        assert 'the nearest line 16 is "        x = self.act(self.stem(x))"' in refusal(
            ("x = self.act(self.stm(x))", "")
        )

    def test_nothing_alike(self):
        assert refusal(("§§§", "x")).endswith("nothing in the program is like it")

    def test_long_passages_are_cut(self):
        program = "\n".join(f"value_{number} = {number} * {number}" for number in range(200)) + "\n"
        said = refusal(
            ("\n".join(f"value_{number} = {number} + {number}" for number in range(150)), ""), program=program
        )
        assert "lines 1 to 150" in said
        assert len(said) < 450

    def test_repeated_passage(self):
        assert "ambiguous, it stands at lines 10, 12;" in refusal(("nn.ReLU()", "nn.GELU()"))
        program = "a = 1\nb = 2\n" * 9
        assert "lines 1, 3, 5, 7, 9, 11 ..." in refusal(("a = 1", "a = 2"), program=program)
        assert "lines 3, 7;" in refusal(("x\ny", ""), program="0\n0\nx\ny\n0\n0\nx\ny\n")

    def test_self_overlapping_passage_is_repeated(self):
        assert "lines 1, 2;" in refusal(("a\na", "b"), program="a\na\na\n")

    @pytest.mark.parametrize("search", ["", "   ", "\n\n", "\t\r\n"])
    def test_empty(self, search):
        assert "edit 1: its search text is empty" in refusal((search, "x"))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (STEM + "        self.act = nn.ReLU()\n", "        self.act = nn.ReLU()\n" + BODY),
            (STEM + "        self.act = nn.ReLU()\n" + BODY, "self.act = nn.ReLU()"),
            (BODY, BODY),
        ],
        ids=["overlapping", "inside", "twice"],
    )
    def test_overlap(self, one, other):
        for pairs in ([(one, "1"), (other, "2")], [(other, "1"), (one, "2")]):
            assert "overlap at line" in refusal(*pairs)
            assert "join them into one edit" in refusal(*pairs)

    def test_a_tab_is_no_space_inside_a_line(self):
        program = 'a = "x\ty"\n'
        assert "nearest" in refusal(('a = "x y"', ""), program=program)


class TestConflictBlocks:
    TEXT = "Sure:\n<<<<<<< SEARCH\na = 1\n=======\na = 2\n>>>>>>> REPLACE\nand\n<<<<<<< x.py\nb\n=======\n>>>>>>>\n"

    @pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), TEXT.replace("<<<<<<<", "  <<<<<<<")])
    def test_blocks(self, text):
        assert conflict_blocks(text) == [Edit("a = 1\n", "a = 2\n"), Edit("b\n", "")]

    @pytest.mark.parametrize("text", ["", "<<<<<<< SEARCH\na\n=======\nb\n", "a << b\n=====\n>> c"])
    def test_none(self, text):
        assert conflict_blocks(text) == []


class TestUnchanged:
    SAME: ClassVar = [
        PROGRAM + "\n# done\n",
        PROGRAM.replace("    ", "\t"),
        PROGRAM.replace("hidden", "planes"),
        PROGRAM.replace("        super()", '        """Build it."""\n\n        # first\n        super()'),
        PROGRAM.replace(
            "nn.Conv2d(hidden, hidden, 3, padding=1)", "nn.Conv2d(\n    hidden, hidden, 3,\n    padding=1)"
        ),
        PROGRAM.replace("x.mean((2, 3))", "(x.mean((2, 3)))"),
        "\n\n" + PROGRAM.replace("\n", "\r\n"),
    ]

    @pytest.mark.parametrize("other", SAME)
    def test_looks_alone(self, other):
        assert other != PROGRAM
        assert says_the_same(PROGRAM, other)

    CHANGED: ClassVar = [
        PROGRAM.replace("nn.ReLU()", "nn.GELU()", 1),
        PROGRAM.replace("3, padding=1", "5, padding=2", 1),
        PROGRAM.replace("16 * width", "16.0 * width"),
        PROGRAM.replace("        x = self.act2(self.body(x))\n", ""),
        PROGRAM.replace("self.act2(self.body(x))", "self.body(self.act2(x))"),
        PROGRAM + "    x = 1\n",
        PROGRAM.replace("width=1.0", "width=2.0"),
    ]

    @pytest.mark.parametrize("other", CHANGED)
    def test_changes(self, other):
        assert not says_the_same(PROGRAM, other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            # Renaming all of these by order of appearance would make two different programs one.
            ("def f():\n a = 1\n return lambda x: a", "def f():\n x = 1\n return lambda x: x"),
            (
                "import F\ndef f(v):\n G = [F for F in v]\n return F",
                "import F\ndef f(v):\n G = [H for H in v]\n return H",
            ),
            ("def f():\n a = 1\n return len(a)", "def f():\n len = 1\n return len(len)"),
            ("def f():\n a = b = 1\n return a", "def f():\n a = b = 1\n return b"),
            ("def f():\n a = 1\n global b\n b = 2", "def f():\n b = 1\n global a\n a = 2"),
            ("def f():\n a = 1\n class C:\n  b = 2\n return a", "def f():\n b = 1\n class C:\n  b = 2\n return b\n"),
            ("def f(a):\n return a", "def f(b):\n return b"),
            (
                "def f():\n try:\n  a = 1\n except E as e:\n  a = e",
                "def f():\n try:\n  e = 1\n except E as a:\n  e = a",
            ),
        ],
    )
    def test_only_true_renamings_count_as_one(self, one, other):
        compile(one, "one", "exec")
        assert not says_the_same(one, other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("def f(v):\n for a, b in v:\n  c = a\n return c", "def f(v):\n for x, y in v:\n  z = x\n return z"),
            ("def f(v):\n return [a for a in v]", "def f(v):\n return [b for b in v]"),
            (
                "class C:\n def f(self):\n  with g() as a:\n   return a",
                "class C:\n def f(self):\n  with g() as b:\n   return b",
            ),
        ],
    )
    def test_true_renamings(self, one, other):
        assert says_the_same(one, other)

    def test_no_python(self):
        assert says_the_same("def (:", "def  (:\n")
        assert not says_the_same("def (:", "def ):")
        assert not says_the_same("(" * 5000, "[" * 5000)
        assert not says_the_same("a = 1\0", PROGRAM)


class TestSettings:
    @pytest.mark.parametrize("change", [{"edit_format": "diff"}, {"max_source": 900}, {"max_reply": 900}])
    def test_outcome_knows_them_where_they_are_not_at_their_default(self, change):
        plain, told = RunConfig(), RunConfig.model_validate({"model": change})
        assert "model" not in plain.digest_settings()
        assert set(plain.outcome_settings()["model"]) == {"llm"}
        assert told.digest_settings() == {**plain.digest_settings(), "model": change}
        assert told.outcome_settings()["model"] == {"llm": plain.model.llm, **change}
        (name, value), *_ = change.items()
        assert getattr(told.model.edits, name) == value

    def test_defaults_are_one(self):
        assert RunConfig().model.edits == EditSettings()

    @pytest.mark.parametrize("wrong", [{"edit_format": "patch"}, {"max_source": 40_001}, {"max_reply": 0}])
    def test_bounds(self, wrong):
        with pytest.raises(InputError, match=f"model.{next(iter(wrong))}: "):
            parse_config({"model": wrong}, "test.toml")
