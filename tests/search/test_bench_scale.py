"""The benchmark of many GPUs measures what the documentation claims of it, on a small case."""

from bench.pipeline import busy, simulate
from bench.scale import CEILINGS, scene


def test_larger_generations_and_lookahead_keep_more_gpus_busy(tmp_path):
    shares = {}
    for mode, scale in (("snapshot", 1), ("snapshot", 3), ("lookahead", 1)):
        folder = tmp_path / f"{mode}{scale}"
        folder.mkdir()
        shares[mode, scale] = busy(simulate(scene(8, mode, scale, 2), folder))
    assert shares["snapshot", 1] < shares["snapshot", 3] < shares["lookahead", 1]
    assert shares["lookahead", 1] > 0.9 > shares["snapshot", 1]


def test_the_sizes_of_the_claim_are_all_measured_with_and_without_a_scale():
    assert {gpus for gpus, _, _ in CEILINGS} == {8, 16, 64}
    for gpus in (8, 16, 64):
        scales = [scale for size, mode, found in CEILINGS if size == gpus and mode == "snapshot" for scale in found]
        assert min(scales) == 1 < max(scales)
