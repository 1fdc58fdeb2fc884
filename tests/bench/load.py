"""Run wrk: requests per second under full load, and latencies under moderate load."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

FULL, MODERATE = 32, 4  # connections
_LUA = """
local requests, turn = {}, 0
function init(args)  -- built once, since wrk shares the cores with the measured server
  for line in io.lines(args[2]) do
    requests[#requests + 1] = wrk.format("GET", args[1], {["Authorization"] = "Bearer " .. line})
  end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("errors %d\\n", e.status + e.read + e.write + e.connect + e.timeout))
  io.write(string.format("p50 %d p99 %d\\n", latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Measure:
    """Requests per second, and the 50th and 99th percentile of latency in milliseconds."""

    rate: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Load:
    """Input for wrk: a folder for its script, the tokens that it uses in turn, and seconds per run."""

    folder: Path
    tokens: list[str]
    seconds: int

    def prepare(self) -> None:
        (self.folder / "load.lua").write_text(_LUA)
        (self.folder / "tokens").write_text("\n".join(self.tokens))

    def run(self, url: str, path: str, connections: int) -> Measure:
        """Run wrk once. Fail if any request was refused or lost."""
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{self.seconds}s",
            "-s",
            str(self.folder / "load.lua"),
            url,
            "--",
        ]
        done = subprocess.run(
            [*command, path, str(self.folder / "tokens")], check=True, capture_output=True, text=True, timeout=600
        )
        assert "errors 0" in done.stdout, f"{url}: {done.stdout}"
        rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
        took = re.search(r"p50 (\d+) p99 (\d+)", done.stdout)
        assert rate, done.stdout
        assert took, done.stdout
        return Measure(float(rate[1]), int(took[1]) / 1000, int(took[2]) / 1000)
