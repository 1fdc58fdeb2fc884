"""Whether an answer's time tells that a user exists: `python -m tests.bench.sign_in`, through nginx.

Unknown users and wrong passwords by turns, each attempt from an address of its own, so that no limit is reached.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2

from tests.support.stack import StackUnderTest

PAIRS: Final = 100
_REFUSED: Final = 401


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        stack = StackUnderTest(Path(name) / "home", nginx_workers="auto")
        try:
            stack.start()
            _measure(stack.url)
        finally:
            stack.stop()


def _measure(url: str) -> None:
    addresses, took = _addresses(), dict[str, list[float]](admin=[], nobody=[])
    answers = set[bytes]()
    for number in range(PAIRS):
        for username in sorted(took, reverse=bool(number % 2)):  # the first of a pair is slower
            with httpx2.Client(transport=httpx2.HTTPTransport(local_address=next(addresses)), base_url=url) as http:
                began = time.perf_counter()
                answer = http.post("/api/admin/login", json={"username": username, "password": "a wrong password"})
                took[username].append((time.perf_counter() - began) * 1000)
            assert answer.status_code == _REFUSED, answer.text
            answers.add(answer.content)
    known, unknown = (statistics.median(took[username]) for username in ("admin", "nobody"))
    print("| wrong password, p50 ms | unknown user, p50 ms | ratio | different answers |")
    print("|---|---|---|---|")
    print(f"| {known:.1f} | {unknown:.1f} | {known / unknown:.3f} | {len(answers) - 1} |")


def _addresses() -> Iterator[str]:
    return (f"127.0.{third}.{fourth}" for third, fourth in itertools.product(range(1, 255), range(1, 255)))


if __name__ == "__main__":
    main()
