"""With torch in the zygote: exports work in the jail, and torch's own ways out are shut."""

from __future__ import annotations

import textwrap

import psutil
import pytest
from conftest import Guard

from fairnad_engine.backbone.jail import Jail

EXPORT = """
    import torch
    from torch import nn
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 10)
        def forward(self, x):
            return self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))
    net, images = Net(), torch.randn(4, 3, 8, 8)
    net(images).sum().backward()
    batch = torch.export.Dim("batch", min=2, max=4096)
    counts = []
    for training in (True, False):
        program = torch.export.export(net.train(training), (images,), dynamic_shapes=({0: batch},), strict=False)
        counts.append(len(list(program.graph.nodes)))
    seen = {"nodes": counts, "threads": torch.get_num_threads(), "cuda": torch.cuda.is_available()}
"""

ROUTES_OUT = {
    "hub": "torch.hub.load('pytorch/vision', 'resnet18', trust_repo=True)",
    "download": "torch.hub.load_state_dict_from_url('http://127.0.0.1/x.pt')",
    "extension": "torch.utils.cpp_extension.load_inline('x', 'int f() {return 0;}')",
    "library": "torch.ops.load_library(GIVEN['guard'] + '/secret')",
    "library, ctypes": "__import__('ctypes').CDLL(GIVEN['guard'] + '/secret')",
    "load": "torch.load(GIVEN['secret'], weights_only=False)",
    "save": "torch.save({}, GIVEN['guard'] + '/planted')",
    "map": "torch.from_file(GIVEN['secret'], shared=True, size=1)",
    "processes": "torch.multiprocessing.get_context('fork').Process(target=print).start()",
    "shared memory": "torch.zeros(3).share_memory_()",
    "store": "torch.distributed.TCPStore('127.0.0.1', 29501, is_master=True)",
    "script": "torch.jit.save(torch.jit.script(torch.nn.ReLU()), GIVEN['guard'] + '/planted')",
    "bytecode": "torch.jit.load(GIVEN['secret'])",
}


def test_export_works_inside(torch_jail: Jail) -> None:
    result = torch_jail.run("snippet", {"source": textwrap.dedent(EXPORT)})
    assert result.ok, result.message
    assert result.stdout == ""
    train, evaluation = result.data["seen"]["nodes"]
    assert train >= evaluation >= 10
    assert result.data["seen"]["threads"] == 1
    assert result.data["seen"]["cuda"] is False


def test_the_zygote_has_one_thread_after_all_that(torch_jail: Jail) -> None:
    zygote = psutil.Process(torch_jail.run("ping", {}).data["parent"])
    assert zygote.num_threads() == 1
    assert zygote.children() == []


@pytest.mark.parametrize("route", ROUTES_OUT)
def test_ways_out_of_torch(route: str, torch_jail: Jail, guard: Guard) -> None:
    imports = "import torch, torch.distributed, torch.multiprocessing, torch.utils.cpp_extension"
    source = f"{imports}\nseen = {{'answer': tries(lambda: {ROUTES_OUT[route]})}}"
    given = {"source": source, "guard": str(guard.folder), "secret": str(guard.secret)}
    result = torch_jail.run("snippet", given)
    assert not result.ok or result.data["seen"]["answer"] != "done"
    assert guard.untouched()


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("import torch\ntorch.zeros(1 << 40)", {"memory"}),
        ("import torch\nheld = []\nwhile True: held.append(torch.empty(1 << 27))", {"memory"}),
        ("import torch\nx = torch.randn(512, 512)\nwhile True: x = x @ x", {"timeout"}),
        (
            "import torch\ntorch.set_num_threads(512)\ntorch.randn(2000, 2000) @ torch.randn(2000, 2000)",
            {None, "crash"},
        ),
        (
            "import torch\nclass N(torch.nn.Module):\n    def forward(self, x):\n"
            "        while True: x = x + 1\ntorch.export.export(N(), (torch.zeros(1),), strict=False)",
            {"timeout", "memory"},
        ),
    ],
    ids=["one tensor", "many tensors", "endless matmul", "threads", "export bomb"],
)
def test_bombs(source: str, kinds: set[str | None], torch_jail: Jail) -> None:
    result = torch_jail.run("snippet", {"source": source}, wall_seconds=2.0)
    assert result.failure in kinds, result.message
    assert torch_jail.run("ping", {"value": 1}).data["pong"] == 1
