"""The presets hold the method's numbers (method, sections 2, 3, 5 and 6)."""

import pytest

from fairnad_engine.search.forecast import Pipeline
from fairnad_engine.search.outlook import look_ahead
from fairnad_engine.search.presets import preset, presets
from fairnad_engine.training.protocol import load_protocol

PAPER = {
    "paper-cifar10": ("cifar10", 200_000_000),
    "paper-cifar100": ("cifar100", 200_000_000),
    "paper-imagenet16": ("imagenet16-120", 50_000_000),
}


@pytest.mark.parametrize("name", PAPER)
def test_a_paper_preset_is_the_paper_s_search(name):
    config = preset(name).config
    dataset, macs = PAPER[name]
    assert (config.data.dataset, config.budget.max_params, config.budget.max_macs) == (dataset, 1_500_000, macs)
    assert config.budget.trained == 500 and config.budget.hours == config.budget.tokens == 0
    assert config.search.stages == (8, 8, 4)
    assert config.search.stage3_counts == "last"
    assert config.budget.trained / sum(config.search.stages) == 25  # generations, as the paper counts
    assert Pipeline.models_of(config.search.stages) == 24  # trained at most, of a chain two
    expected = look_ahead(config)
    assert (expected.generations, expected.models) == (25, 600)
    assert (config.search.seed_backbone, config.search.fairness, config.search.fit) == ("resnet32", "main+sub", "down")
    assert config.search.method == "fairnad" and config.search.settings().keys().isdisjoint(
        {"fair_unit", "thompson", "refill", "proposals", "method"}
    )
    assert config.fidelity.mode == "off"
    assert config.model.llm == "ollama:qwen3:8b" and config.model.edit_format == "whole"
    assert config.machine.streams == 2 and config.machine.precision == "fp32"  # two streams on each GPU
    assert config.data.splits is not None  # NAS-Bench-201's index files are asked for
    assert config.search.control == "search"


def test_their_protocol_is_nas_bench_201s():
    protocol = load_protocol(preset("paper-cifar10").config.data.protocol)
    assert (protocol.epochs, protocol.batch_size, protocol.learning_rate, protocol.weight_decay) == (
        200,
        256,
        0.1,
        5e-4,
    )
    assert (protocol.momentum, protocol.nesterov, protocol.flip) == (0.9, True, 0.5)
    assert (protocol.padding_for(32), protocol.padding_for(16)) == (4, 2)
    rates = [protocol.learning_rate_at(epoch) for epoch in (0, 100, 199)]
    assert rates == pytest.approx([0.1, 0.05, 0.05 * (1 - 0.99987663)], rel=1e-3)


def test_small_presets_fit_one_gpu_and_two_cores():
    gpu, cpu = preset("small-gpu").config, preset("small-cpu").config
    assert (gpu.budget.max_params, gpu.budget.max_macs) == (1_500_000, 200_000_000)
    assert load_protocol(gpu.data.protocol).epochs == 12 and gpu.data.dataset == "cifar10"
    assert (cpu.data.dataset, cpu.model.llm, cpu.machine.workers) == ("digits", "rules", 2)
    assert gpu.search.control == cpu.search.control == "search"
    assert {one.name for one in presets()} >= {*PAPER, "small-gpu", "small-cpu"}


def test_when_the_control_is_trained_is_no_part_of_the_outcome():
    config = preset("paper-cifar10").config
    other = config.model_copy(update={"search": config.search.model_copy(update={"control": "off"})})
    assert config.digest_settings() == other.digest_settings()
    assert config.outcome_settings() == other.outcome_settings()
