"""The attribute template: the shipped tree is complete, and a broken file is told in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.template import ANTONYM_WORDS, FEATURES, Template, check

TREE = {
    "operation": {
        "conv": "depthwise grouped dilated large-kernel factorised",
        "mixing": "self-attention window-attention pooling-mixer mlp-mixer",
        "norm": "layer-norm group-norm fewer-norms response-norm",
        "act": "smooth hard fewer-activations",
        "pool": "strided-conv max-pool blur-pool space-to-depth",
    },
    "block": {
        "residual": "pre-activation shortcut-projection residual-scaling stochastic-depth",
        "branch": "multi-kernel cardinality pooled-branch channel-split",
        "channel": "bottleneck inverted-bottleneck feed-forward channel-shuffle",
        "gate": "squeeze-excitation efficient-channel spatial multiplicative",
        "fusion": "concat weighted operation-order",
    },
    "network": {
        "stem": "deep patchify large-kernel",
        "stages": "depth-ratio width-ratio stage-count mixed-blocks",
        "schedule": "early late separate-layer",
        "links": "skip dense multi-scale",
        "tail": "generalised-pooling attention-pooling final-expansion",
    },
}

SMALL = """
version: "1"
levels:
  - id: operation
    name: Operation
    definition: Operators.
    mains:
      - id: conv
        name: Convolution
        definition: The kind of convolution.
        subs:
          - id: conv.depthwise
            name: Depthwise convolution
            definition: One filter per channel.
            examples: [Use depthwise filters., Separate space and channels.]
            cues: [depth-wise]
            signature: [[{feature: conv.depthwise, change: up}]]
            antonym: reduce
"""


@pytest.fixture(scope="module")
def shipped() -> Template:
    return Template.load()


def test_the_shipped_tree_has_exactly_the_documented_categories(shipped):
    found = {
        level.id: {main.id: " ".join(sub.id.split(".")[1] for sub in main.subs) for main in level.mains}
        for level in shipped.levels
    }
    assert found == TREE
    assert shipped.counts == (3, 15, 55)


def test_the_shipped_tree_passes_its_own_check(shipped):
    assert check(shipped) == []


def test_every_sub_category_is_usable(shipped):
    ids = {sub.id for sub in shipped.subs}
    for sub in shipped.subs:
        assert sub.definition.endswith(".")
        assert "\n" not in sub.definition
        assert 2 <= len(sub.examples) <= 3
        assert len(sub.cues) == len(set(sub.cues)) >= 5
        assert sub.action
        assert {c.feature for alternative in sub.signature for c in alternative} <= FEATURES
        assert sub.antonym is None or sub.antonym in ids | set(ANTONYM_WORDS)
    assert sum(sub.antonym is not None for sub in shipped.subs) >= 45


def test_lookups(shipped):
    assert shipped.main("conv").level == "operation"
    assert shipped.sub("gate.spatial").main == "gate"
    assert [main.id for main in shipped.mains_of("network")] == ["stem", "stages", "schedule", "links", "tail"]
    assert len(shipped.subs_of("conv")) == 5
    assert (
        shipped.level_of("tail.final-expansion") == shipped.level_of("tail") == shipped.level_of("network") == "network"
    )
    for lookup, wrong in [
        (shipped.main, "conv.depthwise"),
        (shipped.sub, "conv"),
        (shipped.mains_of, "conv"),
        (shipped.subs_of, "nothing"),
        (shipped.level_of, "nothing"),
    ]:
        with pytest.raises(KeyError):
            lookup(wrong)


def test_digest_follows_the_content_not_the_layout():
    one = Template.parse(SMALL, "a.yaml")
    assert one.digest == Template.parse("# a comment\n" + SMALL, "b.yaml").digest
    assert one.digest != Template.parse(SMALL.replace("One filter", "A filter"), "a.yaml").digest


def test_an_action_is_made_from_the_name_where_none_is_given():
    assert Template.parse(SMALL, "a.yaml").sub("conv.depthwise").action == "Use depthwise convolution"


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("version: '1'\nlevels: [\n", "t.yaml, line 3", "not valid YAML"),
        ("version: '1'\n\tlevels: 1\n", "t.yaml, line 2", "not valid YAML"),
        ("", "t.yaml", "the file"),
        ("- a\n- b\n", "t.yaml", "the file"),
        ("version: '1'\n", "levels", "required"),
        (
            SMALL.replace("name: Depthwise convolution", "nam: x"),
            "levels[operation].mains[conv].subs[conv.depthwise]",
            "",
        ),
        (SMALL.replace("change: up", "change: upwards"), "signature", "'up'"),
        (SMALL.replace("cues: [depth-wise]", "cues: depth-wise"), "cues", "list"),
        (SMALL.replace("antonym", "antonim"), "antonim", "not permitted"),
        ("\x00", "t.yaml", "not valid YAML"),
        ("[" * 5000, "t.yaml", ""),
    ],
)
def test_a_file_that_is_no_template_is_told_in_one_line(text, place, what):
    with pytest.raises(InputError) as caught:
        Template.parse(text, "t.yaml")
    message = str(caught.value)
    assert place in message
    assert what in message
    assert "t.yaml" in message
    assert "\n" not in message


def test_load_tells_unreadable_files(tmp_path):
    with pytest.raises(InputError, match=r"missing\.yaml"):
        Template.load(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("version: \xe9".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        Template.load(tmp_path / "latin.yaml")
    with pytest.raises(InputError, match="readable"):
        Template.load(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("feature: conv.depthwise", "feature: conv.magic", "unknown graph feature 'conv.magic'"),
        ("definition: One filter per channel.", "definition: ''", "conv.depthwise: has no definition"),
        ("antonym: reduce", "antonym: conv.nothing", "antonym 'conv.nothing'"),
        ("antonym: reduce", "antonym: conv.depthwise", "neither another"),
        ("cues: [depth-wise]", "cues: []", "has no cue"),
        ("cues: [depth-wise]", "cues: ['*']", "names nothing"),
        ("signature: [[{feature: conv.depthwise, change: up}]]", "signature: []", "has no signature"),
        ("signature: [[{feature: conv.depthwise, change: up}]]", "signature: [[]]", "holds for every child"),
        ("id: conv.depthwise", "id: pool.depthwise", "of the form conv.<name>"),
        ("id: conv.depthwise", "id: conv", "stands 2 times"),
        ("examples: [Use depthwise filters., Separate space and channels.]", "examples: []", "0 examples"),
    ],
)
def test_check_finds(before, after, problem):
    assert before in SMALL
    sound = check(Template.parse(SMALL, "t.yaml"))
    found = check(Template.parse(SMALL.replace(before, after), "t.yaml"))
    assert any(problem in line for line in found)
    assert not any(problem in line for line in sound)


def test_check_counts_levels_and_categories(shipped):
    assert any("levels are operation;" in line for line in check(Template.parse(SMALL, "t.yaml")))
    fewer = replace(shipped, levels=shipped.levels[:2])
    assert any("10 main and" in line for line in check(fewer))
