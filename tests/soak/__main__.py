"""`make soak`, or `python -m tests.soak [--seconds 600]`: fails on a wrong verdict, a 5xx, or growing memory."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak import memory
from tests.soak.run import Plan, run

MOST_GROWTH = 1.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--viewers", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcome = run(Path(name) / "home", Plan(arguments.seconds, arguments.viewers))
    print(outcome)
    grown = memory.growth(outcome.settled, outcome.end)
    if outcome.judge.wrongs or grown > MOST_GROWTH:
        sys.exit(f"FAILED: {outcome.judge.wrongs} wrong answers, memory grew by a factor of {grown:.2f}")


main()
