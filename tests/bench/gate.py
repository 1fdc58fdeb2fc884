"""What the gate costs: requests a second with it and without it, through the shipped nginx files on this machine.

`make bench`, or `python -m tests.bench.gate [--seconds 5] [--rounds 3]`. Needs wrk. The load generator shares the
machine's cores, so only the ratio of one run says something; rounds are interleaved and the median is printed.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from control_plane.processes import HttpProbe
from tests.support.stack import Service, StackUnderTest, free_port
from tests.support.tokens import Minter

TOKENS = 500
CONNECTIONS = 32
FILES = {"1 KB": 1_024, "750 KB": 768_000}
TARGETS = {"1 KB": 0.25, "750 KB": 0.85}
_LUA = """
local tokens, turn, path = {}, 0, nil
function init(args)
  path = args[1]
  for line in io.lines(args[2]) do tokens[#tokens + 1] = "Bearer " .. line end
end
function request()
  turn = turn % #tokens + 1
  return wrk.format("GET", path, {["Authorization"] = tokens[turn]})
end
function done(summary) io.write(string.format("errors %d\\n", summary.errors.status + summary.errors.read)) end
"""


@dataclass(frozen=True)
class Bench:
    """A gated and an ungated nginx over the same files, and what wrk needs."""

    folder: Path
    urls: dict[str, str]
    seconds: int

    def rate(self, url: str, path: str) -> float:
        """Return requests a second; fail when one was refused."""
        printed = subprocess.run(
            [
                "wrk",
                "-t1",
                f"-c{CONNECTIONS}",
                f"-d{self.seconds}s",
                "-s",
                self.folder / "load.lua",
                url,
                "--",
                path,
                self.folder / "tokens",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert "errors 0" in printed, printed
        found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
        assert found, printed
        return float(found[1])


@dataclass(frozen=True)
class Ungated:
    service: Service
    url: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        running = StackUnderTest(Path(name) / "home", nginx_workers="auto")
        event_id = _prepare(Path(name), running)
        ungated = _ungated(running, Path(name))
        try:
            running.start()
            ungated.service.start()
            ungated.service.wait_ready()
            bench = Bench(Path(name), {"gate": running.url, "none": ungated.url}, arguments.seconds)
            _report(bench, f"/streams/{event_id}", arguments.rounds)
        finally:
            ungated.service.stop()
            running.stop()


def _prepare(folder: Path, running: StackUnderTest) -> str:
    event_id, minter = str(uuid4()), Minter(running.home)
    stream = running.streams / event_id
    stream.mkdir(parents=True)
    for name, size in FILES.items():
        (stream / _file_name(name)).write_bytes(os.urandom(size))
    tokens = (minter.token(event_id, sub=f"bench{i:07d}", sid=f"session-{i:014d}") for i in range(TOKENS))
    (folder / "tokens").write_text("\n".join(tokens))
    (folder / "load.lua").write_text(_LUA)
    return event_id


def _ungated(running: StackUnderTest, folder: Path) -> Ungated:
    """Make the same nginx without its question: the shipped files but for the auth_request lines."""
    original, copy, port = running.described.run_folder / "nginx", folder / "ungated", free_port()
    shutil.copytree(original, copy)
    _edit(copy / "snippets/protected.conf", r"(?m)^auth_request.*$", "")
    _edit(copy / "snippets/logging.conf", r"\$gate_(reason|ticket)", "-")
    _edit(copy / "snippets/verdict.conf", r"\$gate_reason", "$request_method")
    _edit(copy / "site/server.conf", r"(listen [^;]*:)\d+", rf"\g<1>{port}")
    for file in ("site/main.conf", "site/http.conf"):
        _edit(copy / file, re.escape(str(original)), str(copy))
    _edit(copy / "site/http.conf", r"access\.jsonl", "ungated.jsonl")
    gated = running.described.nginx
    argv = tuple(word.replace(str(original), str(copy)) for word in gated.argv)
    url = f"http://127.0.0.1:{port}"
    return Ungated(Service(replace(gated, argv=argv, is_ready=HttpProbe(f"{url}/health")), folder / "ungated.log"), url)


def _edit(file: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, file.read_text())
    assert count, f"{file} has changed; the bench does not know it any more"
    file.write_text(text)


def _report(bench: Bench, path: str, rounds: int) -> None:
    print("| file | with the gate, requests/s | without, requests/s | ratio | target |")
    print("|---|---|---|---|---|")
    for name in FILES:
        rates: dict[str, list[float]] = {who: [] for who in bench.urls}
        for _ in range(rounds):
            for who, url in bench.urls.items():
                rates[who].append(bench.rate(url, f"{path}/{_file_name(name)}"))
        gate, none = (statistics.median(rates[who]) for who in bench.urls)
        print(f"| {name} | {gate:,.0f} | {none:,.0f} | {gate / none:.2f} | {TARGETS[name]} |", flush=True)


def _file_name(name: str) -> str:
    return name.replace(" ", "-") + ".ts"


if __name__ == "__main__":
    main()
