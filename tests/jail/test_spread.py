"""A jail on a cluster's node: what the node refuses is an answer, and nothing of it stays; the rest is in tests/e2e."""

from __future__ import annotations

import pytest

from fairnad_engine.backbone.jail import probe
from fairnad_engine.backbone.jail.spread import JailOnNode
from fairnad_engine.errors import JailError, MachineFaultError


def test_a_node_without_a_layer_is_left_out_with_its_reason(monkeypatch):
    lacking = (probe.Layer("files", live=False, detail="no Landlock", required=True),)
    monkeypatch.setattr(probe, "probe", lambda: lacking)
    here = JailOnNode(accept_weak=False)
    assert "the jail lacks: files (no Landlock)" in here.enter()
    assert here.run("export", {"source": ""}, {}) == (
        JailError.__name__,
        "the jail is closed; use it inside its `with` block",
    )


@pytest.mark.parametrize("error", [JailError, MachineFaultError])
def test_whose_fault_it_was_is_told_and_not_thrown(error, monkeypatch):
    here = JailOnNode(accept_weak=False)

    def fail(*_arguments, **_limits):
        raise error("the disk is full")

    monkeypatch.setattr(here._jail, "run", fail)
    assert here.run("export", {}, {}) == (error.__name__, "the disk is full")
