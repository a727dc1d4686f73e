"""Every fault the program knows, with the state it ends in and what mends it: also ``docs/reliability.md``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong.

    Attributes:
        name: Its name; the job's row, ``status --json`` and the tests use it.
        shows: How a user sees it.
        end: State in which it leaves the job: ``running``, ``waiting``, ``failed``, ``stopped``, ``stalled``, ``dead``
            or ``refused`` (nothing was begun); ``candidate`` where it is the outcome of one candidate or paper alone.
        goes_on: What goes on by itself, or by which command.
        remedy: What the user can do about it.
    """

    name: str
    shows: str
    end: str
    goes_on: str
    remedy: str


_BY_ITSELF = "by itself"
_RESUME = "`run --resume RUN`"

FAULTS = (
    # Disk and files
    Fault(
        "disk-full",
        "`waiting: disk full`",
        "waiting",
        f"{_BY_ITSELF} when there is room; what was being written is done again",
        "free some space on the workspace's disk",
    ),
    Fault(
        "disk-full-artifact",
        "`waiting: disk full`, met while a graph or weights were written",
        "waiting",
        f"{_BY_ITSELF} when there is room; the candidate in hand is verified again",
        "free some space on the workspace's disk",
    ),
    Fault(
        "disk-full-trainer",
        "`waiting: disk full`, met by a trainer",
        "waiting",
        f"{_BY_ITSELF} when there is room, from the training's last checkpoint",
        "free some space on the workspace's disk",
    ),
    Fault(
        "store-damaged",
        "`is damaged`, with the newest backup",
        "failed",
        f"{_RESUME} after the restore",
        "fairnad-tui restore BACKUP --db FILE",
    ),
    Fault(
        "store-damaged-in-use",
        "`is damaged`, met in the middle of a job",
        "failed",
        f"{_RESUME} after the restore",
        "fairnad-tui restore BACKUP --db FILE",
    ),
    Fault(
        "store-newer",
        "`was written by a newer fairnad-tui`",
        "refused",
        "the same command with the newer program",
        "upgrade the program",
    ),
    Fault(
        "store-foreign",
        "`is an SQLite file but no fairnad workspace`, `is not a workspace file`",
        "refused",
        "the same command with another file",
        "choose another file with --db FILE",
    ),
    Fault(
        "store-locked",
        "`is locked by another program`, after 10 s",
        "failed",
        _RESUME,
        "close the program that holds the file",
    ),
    Fault(
        "store-read-only",
        "`cannot be opened for writing`, `Read-only file system`",
        "failed",
        _RESUME,
        "give yourself the right to write there, or mount the disk anew",
    ),
    Fault(
        "folder-gone",
        "the folder of files beside the workspace is not there or cannot be written",
        "failed",
        _RESUME,
        "bring the folder back; restore it from a backup",
    ),
    Fault("no-descriptors", "`Too many open files`", "failed", _RESUME, "raise `ulimit -n`, or use fewer workers"),
    Fault(
        "checkpoint-damaged",
        "a line of the log",
        "running",
        f"{_BY_ITSELF}: the training begins anew",
        "nothing; look after the disk",
    ),
    Fault(
        "weights-damaged",
        "a line of the log",
        "running",
        f"{_BY_ITSELF}: initial weights are made again from the candidate's source",
        "nothing; look after the disk",
    ),
    Fault(
        "graph-damaged",
        "a line of the log",
        "running",
        f"{_BY_ITSELF}: the graph is made again from the candidate's source",
        "nothing; look after the disk",
    ),
    Fault(
        "data-gone",
        "a training's message names the missing file",
        "failed",
        _RESUME,
        "put the data set back where it was",
    ),
    Fault("log-full", "the job's log is cut into parts", "running", f"{_BY_ITSELF}: the oldest part goes", "nothing"),
    Fault(
        "activity-unwritable",
        "screens show no activity, the log says why",
        "running",
        f"{_BY_ITSELF}: it is written again when it can be",
        "see that the job's folder is writable",
    ),
    # The language model
    Fault(
        "model-away",
        "`waiting: no answer from` the server",
        "waiting",
        f"{_BY_ITSELF} when it answers, for `[model] wait_hours`; trainings go on meanwhile",
        "start the model's server again",
    ),
    Fault(
        "model-away-too-long",
        "`does not answer`, exit code 3",
        "failed",
        f"{_RESUME}, `structure`",
        "start the model's server, then resume",
    ),
    Fault(
        "model-missing",
        "`has no model`",
        "failed",
        f"{_RESUME}, `structure`",
        "get the model: fairnad-tui llm pull MODEL",
    ),
    Fault(
        "model-fails",
        "`fails` with the server's words, after `[model] retry_seconds`",
        "failed",
        f"{_RESUME}, `structure`",
        "see the server's log; start it again",
    ),
    Fault(
        "model-restarted",
        "`asked again in` some seconds",
        "running",
        f"{_BY_ITSELF}: the prompt is asked again",
        "nothing",
    ),
    Fault(
        "model-host-lost",
        "`set aside`",
        "running",
        f"{_BY_ITSELF}: the other servers are asked",
        "start that server again",
    ),
    Fault(
        "model-babbles",
        "`malformed-reply`, `truncated-reply`",
        "candidate",
        f"{_BY_ITSELF} with the next paper or proposal",
        "fairnad-tui live-check tells whether the model is good enough",
    ),
    # Processes
    Fault(
        "worker-killed",
        "`dead`",
        "dead",
        f"{_RESUME}; at most what was in flight is repeated",
        "see dmesg where it was not you: the system may have run out of memory",
    ),
    Fault(
        "worker-frozen",
        "`stalled` after a minute without a beat",
        "stalled",
        f"{_BY_ITSELF} at SIGCONT; else `run --resume RUN --take-over`",
        "continue the process, or take the run over",
    ),
    Fault(
        "worker-hung",
        "it beats and nothing happens",
        "running",
        "`control stop-now`, then `run --resume RUN`",
        "stop it at once",
    ),
    Fault(
        "second-worker",
        "`is already worked on by process`",
        "refused",
        "the first one goes on",
        "follow it: fairnad-tui attach",
    ),
    Fault(
        "lease-lost",
        "`lease lost` in the log of the one that lost it, exit code 4",
        "running",
        f"{_BY_ITSELF}: who took over goes on, the other writes nothing more and ends",
        "nothing",
    ),
    Fault(
        "lease-elsewhere",
        "the worker's host is gone",
        "dead",
        "`run --resume RUN` once it was quiet for a minute",
        "resume it where you are",
    ),
    Fault("lease-of-another-boot", "`dead`: the machine was started again", "dead", _RESUME, "resume it"),
    Fault(
        "clock-jump",
        "nothing",
        "running",
        f"{_BY_ITSELF}: leases and deadlines read a clock that only grows",
        "nothing",
    ),
    Fault(
        "terminal-lost",
        "nothing: the worker has a session of its own",
        "running",
        f"{_BY_ITSELF}; `attach` follows it again",
        "see logind below where it was killed all the same",
    ),
    Fault("sigterm", "`stopped`, exit code 7", "stopped", _RESUME, "resume it"),
    Fault("sigint", "`stopped`, exit code 7", "stopped", _RESUME, "resume it"),
    Fault(
        "trainer-killed",
        "nothing",
        "running",
        f"{_BY_ITSELF}: the training goes on from its checkpoint in another process",
        "nothing",
    ),
    Fault(
        "trainer-killed-twice",
        "the candidate failed: `trainer-error`",
        "candidate",
        f"{_BY_ITSELF} with the next candidate",
        "see dmesg: the system may have run out of memory; use fewer workers",
    ),
    Fault(
        "trainer-out-of-memory",
        "the candidate failed: `out-of-memory`, alone on its device too",
        "candidate",
        f"{_BY_ITSELF} with the next candidate",
        "lower max_params or the protocol's batch size",
    ),
    Fault(
        "device-fault",
        "nothing; twice: the candidate failed, `the device failed twice`",
        "candidate",
        f"{_BY_ITSELF}: its process is replaced, the training and its neighbours repeated",
        "see nvidia-smi and dmesg where it comes again",
    ),
    Fault(
        "diverged", "the candidate failed: `diverged`", "candidate", f"{_BY_ITSELF} with the next candidate", "nothing"
    ),
    Fault(
        "training-timeout",
        "the candidate failed: `training-timeout`",
        "candidate",
        f"{_BY_ITSELF} with the next candidate",
        "raise [machine] training_deadline",
    ),
    Fault(
        "zygote-killed",
        "nothing",
        "running",
        f"{_BY_ITSELF}: the jail's process is replaced and the attempt repeated",
        "nothing",
    ),
    Fault(
        "jail-memory",
        "the proposal failed: `memory`",
        "candidate",
        f"{_BY_ITSELF}: the model is shown the failure",
        "nothing",
    ),
    Fault(
        "jail-deadline",
        "the proposal failed: `timeout`",
        "candidate",
        f"{_BY_ITSELF}: the model is shown the failure",
        "nothing",
    ),
    Fault(
        "jail-layer",
        "`the jail lacks`, exit code 5",
        "failed",
        "`run --resume RUN --accept-weak-jail`, or where the layer is there",
        "fairnad-tui doctor names the layer",
    ),
    Fault(
        "on-finish-fails",
        "a line of the log",
        "running",
        "the job's own end stays",
        "mend the command in [machine] on_finish",
    ),
    Fault(
        "barren",
        "`generations in a row trained no model`, exit code 6",
        "failed",
        f"{_RESUME} counts anew",
        "fairnad-tui report RUN shows the failures; name another model",
    ),
    Fault(
        "machine-fault",
        "`not the candidate's doing: mend it`",
        "failed",
        _RESUME,
        "mend what the message names, then resume",
    ),
)
