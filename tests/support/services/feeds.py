"""A control plane with prepared answers, for tests of feed followers and activity reporters."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio

from authz_sidecar.contract.feed import Change, FeedPage, Kind
from authz_sidecar.revocations import Revocations
from tests.support.data.forging import NOW

Answer = FeedPage | bytes | Exception


def revocation(code: str, expires_at: float = NOW + 10_000) -> Change:
    return Change(Kind.CODE, code, True, None, NOW, expires_at)


def revoked(*codes: str) -> Revocations:
    return Revocations(revocation(code) for code in codes)


def changes(cursor: str, *codes: str) -> FeedPage:
    return FeedPage(cursor, tuple(revocation(code) for code in codes))


def snapshot(cursor: str, *codes: str, more: bool = False) -> FeedPage:
    return FeedPage(
        cursor, tuple(revocation(code) for code in codes), True, more, f"{cursor}.snapshot" if more else None
    )


@dataclass(frozen=True)
class FeedQuestion:
    """One request, its time, and how many revocations were in force at that moment."""

    cursor: str
    wait: bool
    at: float
    in_force: object


@dataclass
class GivenFeed:
    """Return the prepared answers in turn; after that wait forever, like a feed without changes."""

    answers: list[Answer]
    look: Callable[[], object] = lambda: None
    questions: list[FeedQuestion] = field(default_factory=list)

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        self.questions.append(FeedQuestion(cursor, wait, anyio.current_time(), self.look()))
        if not self.answers:
            await anyio.sleep_forever()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps(answer.to_json()).encode()


@dataclass
class GivenReports:
    """Accept activity reports, or fail with the given exceptions."""

    failures: list[Exception] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    posts: int = 0

    async def report(self, columns: dict[str, list[Any]]) -> None:
        self.posts += 1
        if self.failures:
            raise self.failures.pop(0)
        self.taken += [dict(zip(columns, session, strict=True)) for session in zip(*columns.values(), strict=True)]
