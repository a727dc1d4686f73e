"""Accounting of model calls; raw replies are kept compressed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from fairnad_engine.errors import InputError
from fairnad_engine.llm.kept import KeptReply
from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.store.connection import now

_LINE = "id, key, purpose, model, prompt_tokens, completion_tokens, seconds, at, digest"


@dataclass(frozen=True)
class CallTotals:
    """Sums over calls of one purpose; ``digest`` identifies the model's weights, empty where that is not known.

    ``seconds`` are told to the microsecond, so that calls that came in another order come to the same.
    """

    purpose: str
    model: str
    digest: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float


@dataclass(frozen=True)
class CallRow:
    """One call as it was kept, with the model's raw reply."""

    key: str
    purpose: str
    model: str
    prompt_hash: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    reply: str
    digest: str


@dataclass(frozen=True)
class CallLine:
    """One call of a list.

    Attributes:
        id: Its number in the workspace.
        key: The step it belongs to.
        at: When it ended, UTC.
        digest: What identifies the model's weights; empty where that is not known.
    """

    id: int
    key: str
    purpose: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    at: str
    digest: str


class CallTable:
    """Model calls."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(self, key: str, calls: Sequence[ModelCall], *, job_id: str, run_id: str | None) -> None:
        """Store calls once; ``key`` names the step they belong to."""
        prompts = {call.prompt_hash: call.prompt for call in calls if call.prompt}
        self._db.table("model_prompts").insert_all(
            ({"hash": digest, "text": zlib.compress(text.encode())} for digest, text in prompts.items()), ignore=True
        )
        self._db.table("model_calls").insert_all(
            (
                {
                    "key": f"{key}/{number}",
                    "job_id": job_id,
                    "run_id": run_id,
                    "purpose": call.purpose,
                    "model": call.model,
                    "prompt_hash": call.prompt_hash,
                    "prompt_tokens": call.prompt_tokens,
                    "completion_tokens": call.completion_tokens,
                    "seconds": call.seconds,
                    "reply": zlib.compress(call.reply.encode()),
                    "request": call.request or None,
                    "finished": int(call.finished),
                    "digest": call.digest,
                    "at": now(),
                }
                for number, call in enumerate(calls)
            ),
            ignore=True,
        )

    def totals(self, run_id: str | None = None) -> list[CallTotals]:
        """Sums by purpose, model and its weights, of one run or of the workspace."""
        where, arguments = ("WHERE run_id = ?", [run_id]) if run_id else ("", [])
        query = f"""SELECT purpose, model, digest, count(*) calls, sum(prompt_tokens) prompt_tokens,
                    sum(completion_tokens) completion_tokens, round(sum(seconds), 6) seconds
                    FROM model_calls {where} GROUP BY 1, 2, 3 ORDER BY 1, 2, min(id)"""  # noqa: S608
        return [CallTotals(**dict(row)) for row in self._db.query(query, arguments)]

    def tokens_of_job(self, job_id: str) -> int:
        """Tokens that a job's calls read and wrote, those of its earlier lives included."""
        query = "SELECT coalesce(sum(prompt_tokens + completion_tokens), 0) FROM model_calls WHERE job_id = ?"
        return int(self._db.conn.execute(query, [job_id]).fetchone()[0])

    def kept(self, request: str, job_id: str) -> KeptReply | None:
        """The reply to a request by its hash, the job's own where it has one, else the newest."""
        query = """SELECT reply, prompt_tokens, completion_tokens, seconds, finished, job_id = :job ours
                   FROM model_calls WHERE request = :request ORDER BY ours DESC, id DESC LIMIT 1"""
        row = next(self._db.query(query, {"request": request, "job": job_id}), None)
        if row is None:
            return None
        spent = row["prompt_tokens"], row["completion_tokens"], row["seconds"]
        return KeptReply(_text(row["reply"]), *spent, finished=bool(row["finished"]), ours=bool(row["ours"]))

    def newest(self, number: int, *, run_id: str | None = None, purpose: str | None = None) -> list[CallLine]:
        """The last calls, newest first; of one run or purpose where one is named."""
        query = f"""SELECT {_LINE} FROM model_calls
                    WHERE (:run IS NULL OR run_id = :run) AND (:purpose IS NULL OR purpose = :purpose)
                    ORDER BY id DESC LIMIT :number"""  # noqa: S608
        return [CallLine(**row) for row in self._db.query(query, {"run": run_id, "purpose": purpose, "number": number})]

    def line(self, call_id: int) -> CallLine:
        """One call without its texts.

        Raises:
            InputError: There is no such call.
        """
        row = next(self._db.query(f"SELECT {_LINE} FROM model_calls WHERE id = ?", [call_id]), None)  # noqa: S608
        if row is None:
            raise InputError(f"there is no call {call_id}; see: fairnad-tui llm calls")
        return CallLine(**row)

    def text(self, call_id: int) -> tuple[str | None, str]:
        """The prompt of a call, None where an older program did not keep it, and the raw reply.

        Raises:
            InputError: There is no such call.
        """
        query = """SELECT reply, text FROM model_calls LEFT JOIN model_prompts ON hash = prompt_hash WHERE id = ?"""
        row = next(self._db.query(query, [call_id]), None)
        if row is None:
            raise InputError(f"there is no call {call_id}; see: fairnad-tui llm calls")
        return _text(row["text"]) if row["text"] is not None else None, _text(row["reply"])

    def of_step(self, key: str) -> list[CallRow]:
        """The calls of one step and of the steps below it, in order; ``key`` as it was given to :meth:`record`."""
        query = """SELECT key, purpose, model, prompt_hash, prompt_tokens, completion_tokens, seconds, reply, digest
                   FROM model_calls WHERE key >= ? AND key < ? ORDER BY id"""
        # "0" follows "/": the range holds every key that goes on after a slash.
        rows = self._db.query(query, [f"{key}/", f"{key}0"])
        return [CallRow(**{**dict(row), "reply": _text(row["reply"])}) for row in rows]


def _text(compressed: bytes) -> str:
    return zlib.decompress(compressed).decode()
