"""WebKitGTK's MiniBrowser, driven over W3C WebDriver (https://www.w3.org/TR/webdriver2/) on a virtual display."""

import os
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from tests.support.services.ports import free_port
from tests.support.waiting import eventually

_MINI_BROWSER: Final = next(iter(sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))), Path("MiniBrowser"))
_HANGS_AFTER: Final = 30.0
_ENV: Final = {
    "WEBKIT_GST_ENABLE_HLS_SUPPORT": "1",
    "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # root has no sandbox, and only our own page is loaded
    "GST_REGISTRY_FORK": "no",
    "LIBGL_ALWAYS_SOFTWARE": "1",
}


class PlayerHangs(Exception):
    """The page no longer responds: GStreamer sometimes deadlocks when it gives up several refused streams."""


class WebKit:
    """A browser with empty storage, as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._session = ""

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(httpx2.HTTPError):
            self._http.delete(self._session, timeout=_HANGS_AFTER)
        self._stack.close()

    def _begin(self) -> None:
        port = free_port()
        home = {"HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)}
        env = {**os.environ, **_ENV, **home, "DISPLAY": self._display()}
        self._start(("WebKitWebDriver", f"--port={port}", "--host=127.0.0.1"), env)
        self._http = self._stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
        eventually(self._is_up, within=15, what="WebKitWebDriver is up")
        options = {"binary": str(_MINI_BROWSER), "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        self._session = f"/session/{self._ask('/session', wanted)['sessionId']}"
        self._ask(f"{self._session}/timeouts", {"script": 30_000})

    def _display(self) -> str:
        """Start an X server, which chooses its display number; return it."""
        reading, writing = os.pipe()
        command = ("Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp")
        self._start(command, {**os.environ}, pass_fds=(writing,))
        os.close(writing)
        with os.fdopen(reading) as said:
            return f":{said.readline().strip()}"

    def _start(self, command: tuple[str, ...], env: dict[str, str], pass_fds: tuple[int, ...] = ()) -> None:
        with (self._folder / f"{command[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        self._stack.callback(_end, process)

    def _is_up(self) -> bool:
        try:
            return self._http.get("/status").is_success
        except httpx2.HTTPError:
            return False

    def _ask(self, path: str, body: Any, timeout: float = 60) -> Any:
        answer = self._http.post(path, json=body, timeout=timeout)
        assert answer.is_success, answer.text
        return answer.json()["value"]

    def go(self, url: str) -> None:
        self._ask(f"{self._session}/url", {"url": url})

    def run(self, function: str, given: list[Any]) -> Any:
        """Call a JavaScript function, which may be async, and return its result. Raise PlayerHangs."""
        call = f"({function})(...[...arguments].slice(0, -1))"
        script = (
            f"const done = arguments[arguments.length - 1]; Promise.resolve({call}).then(done, e => done(`${{e}}`));"
        )
        try:
            return self._ask(f"{self._session}/execute/async", {"script": script, "args": given}, _HANGS_AFTER)
        except httpx2.TimeoutException:
            raise PlayerHangs("it answers no more") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and the rest of its process group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
