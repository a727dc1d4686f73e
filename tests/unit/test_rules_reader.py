"""The rules reader: sentences, cues, screening, filing, and the shipped papers as a whole."""

from __future__ import annotations

from collections import Counter
from io import BytesIO

import pytest

from fairnad_engine.knowledge.cues import compile_cue, find_cues, fold
from fairnad_engine.knowledge.design_sentences import MAX_INSTRUCTION, hints, instruct, is_design
from fairnad_engine.knowledge.papers import PaperText, read_papers
from fairnad_engine.knowledge.rules_reader import RulesReader
from fairnad_engine.knowledge.sentences import sentence_spans
from fairnad_engine.knowledge.template import Template
from fairnad_engine.resources import data_folder

READER = RulesReader()


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.load()


@pytest.fixture(scope="module")
def samples() -> list[PaperText]:
    found = list(read_papers(str(data_folder("sample_papers"))))
    assert all(isinstance(item, PaperText) for item in found)
    return found


def paper(body, title="A residual network", abstract="We design a convolutional backbone."):
    text = f"# {title}\n\n## Abstract\n\n{abstract}\n\n## Design\n\n{body}\n"
    (found,) = read_papers("-", BytesIO(text.encode()))
    assert isinstance(found, PaperText)
    return found


def ideas(body, template):
    return READER.extract(paper(body), template).ideas


def split(text):
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One thing. Another thing.", ["One thing.", "Another thing."]),
        ("As in He et al. 2016, use it. Next.", ["As in He et al. 2016, use it.", "Next."]),
        ("See Fig. 3 for it, e.g. The block. Then", ["See Fig. 3 for it, e.g. The block.", "Then"]),
        ("A rate of 0.5 helps. 3x3 layers follow.", ["A rate of 0.5 helps.", "3x3 layers follow."]),
        ("By K. He and X. Zhang. They won!", ["By K. He and X. Zhang.", "They won!"]),
        ("It is (see i.e. this). “Quoted.” End", ["It is (see i.e. this).", "“Quoted.”", "End"]),
        ("Wrapped\nlines join.\n\nA new paragraph", ["Wrapped\nlines join.", "A new paragraph"]),
        ("- Use a gate\n- Use a norm\n1. Last", ["Use a gate", "Use a norm", "Last"]),
        ("# Head\nText.\n| a | b |\n```\ncode. Code.\n```\nEnd.", ["Text.", "End."]),
        ("", []),
    ],
)
def test_sentences(text, sentences):
    assert split(text) == sentences


@pytest.mark.parametrize(
    ("cue", "text", "matched"),
    [
        ("depth-wise conv*", "A depthwise convolution", "depthwise convolution"),
        ("depth-wise conv*", "Depth wise\nconvolutions", "depth wise\nconvolutions"),
        ("7x7 conv*", "a 7 × 7 convolution", "7 x 7 convolution"),
        ("window size", "Window sizes", "window sizes"),
        ("remov* * relu", "removing the last ReLU", "removing the last relu"),
        ("remov* * relu", "remove one of the very many ReLU", None),
        ("elu", "GELU and relu", None),
        ("grn", "GRN_", None),
        ("normali*ation", "Normalisation", "normalisation"),
        ("* gate", "a gate", "gate"),
    ],
)
def test_cues(cue, text, matched):
    folded = fold(text)
    hits = find_cues(folded, [compile_cue("x.y", cue)])
    assert [folded[hit.start : hit.end] for hit in hits] == ([matched] if matched else [])


def test_folding_keeps_every_place():
    assert len(fold("İstanbul × ‑")) == len("İstanbul × ‑")


def test_a_longer_cue_hides_what_lies_inside_it():
    cues = [compile_cue("a.a", "self-attention"), compile_cue("b.b", "window-based self-attention")]
    assert [hit.cue.sub for hit in find_cues("window-based self-attention", cues)] == ["b.b"]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Replace the 3x3 convolution with a 7x7 one.", True),
        ("The gate improves accuracy by 1 %.", True),
        ("Dilation hurts accuracy in this setting.", False),
        ("Removing the gate hurts accuracy.", True),
        ("The learning rate is reduced for the normalisation.", False),
        ("Does a gate improve the block?", False),
        ("Avoid a bottleneck in the first stage.", False),
        ("A gate.", False),
        ("The gate stands there.", False),
        ("Grouped layers are worse than dense ones here.", False),
    ],
)
def test_which_sentences_are_design_advice(sentence, expected):
    assert is_design(sentence, 1.5) is expected


def test_parameters_are_found_and_survive_shortening():
    sentence = (
        "The authors use a block whose first layer is wide, and whose later layers are narrow, because the maps "
        "are large at the start of the network and small at its end, which holds for all of the networks that "
        "were compared in this study of blocks, with a 7 × 7 kernel, an expansion ratio of 4, reduction 16 and "
        "stages of (3, 3, 9, 3) blocks at 1:1:3:1."
    )
    named = hints(sentence)
    assert named == ("7 × 7", "expansion ratio of 4", "reduction 16", "(3, 3, 9, 3)", "1:1:3:1")
    instruction = instruct(sentence, "Use a bottleneck")
    assert len(instruction) <= MAX_INSTRUCTION
    assert all(hint in instruction for hint in named)
    assert instruction.startswith("Use a block")


@pytest.mark.parametrize(
    ("sentence", "instruction"),
    [
        ("However, replace ReLU by GELU [12, 13].", "Replace ReLU by GELU."),
        ("We then use **two** gates (He et al., 2016).", "Use two gates."),
        ("The gate follows the sum (Fig. 3).", "Add a gate: The gate follows the sum."),
        ("We find that gates help.", "Add a gate: We find that gates help."),
    ],
)
def test_instructions(sentence, instruction):
    assert instruct(sentence, "Add a gate") == instruction


@pytest.mark.parametrize(
    ("sentence", "sub"),
    [
        ("Replace the 3x3 convolution with a depthwise 3x3 convolution.", "conv.depthwise"),
        ("Replace ReLU by GELU.", "act.smooth"),
        ("Replace self-attention by 3x3 average pooling with stride 1.", "mixing.pooling-mixer"),
        ("Substitute layer normalisation for group normalisation.", "norm.layer-norm"),
        ("Substitute max pooling by a blur before the strided layer.", "pool.blur-pool"),
        ("Put the squeeze-and-excitation gate after the depthwise convolution.", "gate.squeeze-excitation"),
        ("Multiply the residual branch by a learnable scalar.", "residual.residual-scaling"),
        ("Use a patchify stem, a 4x4 convolution of stride 4.", "stem.patchify"),
        ("Distribute the blocks 1:1:3:1 over the stages.", "stages.depth-ratio"),
        ("Delay the last downsampling by one stage.", "schedule.late"),
        ("Use generalised-mean pooling with a learned exponent.", "tail.generalised-pooling"),
        ("Concatenate the outputs of all preceding layers with growth rate 12.", "links.dense"),
    ],
)
def test_filing(sentence, sub, template):
    found = ideas(sentence, template)
    assert found[0].sub == sub
    assert found[0].main == sub.split(".")[0]


def test_two_strong_subjects_file_a_sentence_twice_and_never_more(template):
    found = ideas("Combine window attention, channel shuffle and squeeze-and-excitation in each block.", template)
    assert len(found) == 2
    assert len({idea.sub for idea in found}) == 2
    assert len({idea.span for idea in found}) == 1


def test_each_idea_is_a_verbatim_quote(template):
    source = paper("Use a squeeze-and-excitation\ngate with reduction 16. Use max pooling of stride 2.")
    found = READER.extract(source, template).ideas
    assert [idea.quote for idea in found] == [
        "Use a squeeze-and-excitation\ngate with reduction 16.",
        "Use max pooling of stride 2.",
    ]
    assert all(source.text[slice(*idea.span)] == idea.quote for idea in found)
    assert found[0].instruction == "Use a squeeze-and-excitation gate with reduction 16."
    assert "reduction 16" in found[0].name


def test_references_acknowledgements_and_repetitions_are_left_out(template):
    body = (
        "Use a GELU activation in each block.\n\nUse the GELU activation in each block.\n\n"
        "## 5. References\n\nUse SiLU in each block.\n\n## Acknowledgments\n\nWe use Mish activations at home."
    )
    assert [idea.quote for idea in ideas(body, template)] == ["Use a GELU activation in each block."]


def test_text_without_design_gives_no_idea(template):
    assert ideas("The weather was fine. Nobody used anything.", template) == ()


def test_an_endless_sentence_is_left_out(template):
    assert ideas("use a depthwise convolution and " * 3000, template) == ()


@pytest.mark.parametrize(
    ("title", "abstract", "relevant"),
    [
        (
            "Deep residual networks",
            "We add identity shortcuts to convolutional blocks for image classification.",
            True,
        ),
        (
            "An image is worth many words",
            "A vision transformer with self-attention over patches classifies images.",
            True,
        ),
        (
            "A large-scale dataset of street scenes",
            "We present a new dataset with 3D bounding boxes, annotated by hand.",
            False,
        ),
        (
            "Text-to-image generation with diffusion models",
            "We train a diffusion model with a convolutional backbone.",
            False,
        ),
        ("A survey of language models", "We review transformer architectures for machine translation.", False),
        (
            "Focal loss",
            "A loss function for dense detectors that handles class imbalance in region proposal.",
            False,
        ),
        ("On tea", "Tea is a drink.", False),
        ("", "", False),
    ],
)
def test_screening(title, abstract, relevant):
    base = paper("Text.")
    screening = READER.screen(PaperText(base.id, title, (), None, "", "", abstract, base.text, "-", base.sections))
    assert screening.relevant is relevant
    assert screening.reason
    assert "\n" not in screening.reason
    assert screening.calls == ()


def test_the_reader_has_the_name_that_users_choose_it_by():
    assert READER.name == "rules"


def test_the_shipped_papers_pass_screening_and_give_ideas(samples, template):
    assert len(samples) >= 16
    found = Counter()
    for source in samples:
        assert READER.screen(source).relevant, source.title
        drafts = READER.extract(source, template).ideas
        assert len(drafts) >= 9, source.title
        assert len({(draft.sub, draft.quote) for draft in drafts}) == len(drafts)
        for draft in drafts:
            assert source.text[slice(*draft.span)] == draft.quote
            assert len(draft.instruction) <= MAX_INSTRUCTION
            assert "\n" not in draft.instruction + draft.name
            assert template.sub(draft.sub).main == draft.main
            found[draft.sub] += 1
    assert set(found) == {sub.id for sub in template.subs}
    assert max(found.values()) < 0.1 * sum(found.values())


def test_a_new_sub_category_is_filed_by_its_cues_alone():
    text = (data_folder("templates") / "attributes.yaml").read_text("utf-8").replace("act.smooth", "act.wavy")
    edited = Template.parse(text, "edited")
    assert "act.wavy" in {idea.sub for idea in ideas("Replace ReLU by a smooth activation such as GELU.", edited)}


def test_text_full_of_designs_passes_whatever_its_abstract_says():
    source = paper(
        "Use a squeeze-and-excitation gate with reduction 16. Use max pooling of stride 2 between the stages. "
        "Replace the 3x3 convolution with a depthwise 3x3 convolution.",
        title="Finding weeds",
        abstract="We present a dataset.",
    )
    assert READER.screen(source).relevant


def test_extraction_is_deterministic(samples, template):
    assert READER.extract(samples[0], template) == RulesReader().extract(samples[0], Template.load())
