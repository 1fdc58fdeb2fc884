"""Check that response times do not reveal whether a user exists: `python -m tests.bench.sign_in`, through nginx.

Unknown users and wrong passwords alternate, each attempt from its own address, so that no limit is reached.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2

from tests.bench import targets
from tests.support.services.stack import StackUnderTest

PAIRS: Final = 100
_REFUSED: Final = 401
_MOST_APART: Final = 0.1


def main() -> None:
    with tempfile.TemporaryDirectory() as name, StackUnderTest(Path(name) / "home", nginx_workers="auto") as stack:
        _measure(stack.url)


def _measure(url: str) -> None:
    attempt = _Attempts(url)
    first, took = attempt.milliseconds("nobody"), dict[str, list[float]](admin=[], nobody=[])
    for number in range(PAIRS):
        for username in sorted(took, reverse=bool(number % 2)):  # alternate, since the first of a pair is slower
            took[username].append(attempt.milliseconds(username))
    known, unknown = (statistics.median(took[username]) for username in ("admin", "nobody"))
    ratio = known / unknown
    verdict = targets.verdict("wrong password / unknown user", reached=abs(ratio - 1) < _MOST_APART)
    print("| wrong password, p50 ms | unknown user, p50 ms | the very first, ms | ratio | different answers |")
    print("|---|---|---|---|---|")
    print(f"| {known:.1f} | {unknown:.1f} | {first:.1f} | {ratio:.3f}, {verdict} | {len(attempt.answers) - 1} |")


class _Attempts:
    def __init__(self, url: str) -> None:
        self.answers = set[bytes]()
        self._url, self._addresses = url, _addresses()

    def milliseconds(self, username: str) -> float:
        """Return the time of an attempt with a wrong password, from a new address."""
        transport = httpx2.HTTPTransport(local_address=next(self._addresses))
        with httpx2.Client(transport=transport, base_url=self._url) as http:
            began = time.perf_counter()
            answer = http.post("/api/admin/login", json={"username": username, "password": "a wrong password"})
            took = (time.perf_counter() - began) * 1000
        assert answer.status_code == _REFUSED, answer.text
        self.answers.add(answer.content)
        return took


def _addresses() -> Iterator[str]:
    return (f"127.0.{third}.{fourth}" for third, fourth in itertools.product(range(1, 255), range(1, 255)))


if __name__ == "__main__":
    targets.run(main)
