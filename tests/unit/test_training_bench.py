"""The benchmarks of training run their own code."""

import pytest
import torch

from bench import __main__ as bench
from bench import gpu, trainer


@pytest.mark.slow
def test_the_gpu_benchmark_runs_on_a_cpu_with_a_few_images():
    rows = gpu.main(["--device", "cpu", "--tiny"])
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names)) == 13
    assert all(float(figure.replace(",", "").rstrip(" %")) >= 0 for _, figure, _, _ in rows)


def test_a_machine_without_a_gpu_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no GPU" in gpu.missing("cuda:0")
    assert "\n" not in gpu.missing("cuda:0")
    assert gpu.missing("cpu") == ""


def test_the_candidates_of_the_trainer_benchmark_are_diverse():
    sources = list(trainer.candidates())
    assert len(sources) == len(set(sources)) == trainer.CANDIDATES


def test_tables_say_which_targets_are_met(capsys):
    text = bench.table([("a", "1", "2", True), ("b", "3", "2", False), ("c", "4", "", True)])
    assert text.splitlines()[2:] == ["| a | 1 | 2 | yes |", "| b | 3 | 2 | no |", "| c | 4 |  |  |"]
    assert bench.main(["nothing"]) == 2
    assert "choose among: trainer" in capsys.readouterr().err
