"""Trainer processes that are killed from outside or find no memory: real ones, with nothing but the job at stake."""

import asyncio
import json
import os
import resource
import signal

import pytest

from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.process import _failure
from tests.unit.test_training import job  # noqa: F401 - a fixture


@pytest.mark.fault("trainer-killed-twice")
def test_a_training_whose_process_is_killed_twice_is_the_candidates_failure_and_the_next_goes_on(job):  # noqa: F811
    async def run():
        executor, killed = LocalExecutor(1), []

        async def kill():
            (pool,) = executor._pools
            while len(killed) < 2:
                await asyncio.sleep(0.01)
                for trainer in pool.trainers:
                    if trainer._ready and trainer.pid not in (None, *killed):
                        killed.append(trainer.pid)
                        os.kill(trainer.pid, signal.SIGKILL)

        try:
            killing = asyncio.create_task(kill())
            outcome = await executor.run(job, lambda _: None, 120.0)
            await killing
            return outcome, await executor.run(job, lambda _: None, 120.0)
        finally:
            await executor.close()

    outcome, later = asyncio.run(run())
    assert outcome.status == "trainer-error"
    assert outcome.message == "the trainer process died twice, last with exit -9"
    assert later.status == "done"


@pytest.mark.fault("trainer-out-of-memory")
def test_memory_that_the_system_refuses_is_told_as_such():
    import torch

    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        told = "nothing"
        try:
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
            torch.empty(1 << 33)
        except Exception as error:
            told = _failure(error)
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = json.loads(pipe.read())
    os.waitpid(pid, 0)
    assert told == "out-of-memory"
