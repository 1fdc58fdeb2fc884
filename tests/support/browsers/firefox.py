"""Debian's Firefox without a window, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)."""

import json
import os
import re
import subprocess
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from websockets.sync.client import ClientConnection, connect

from tests.support.browsers.players import wait
from tests.support.waiting import eventually

_ANSWERS_WITHIN: Final = 60.0
_LARGEST_MESSAGE: Final = 16 * 1024 * 1024
# Firefox must not contact any server but the page's own.
_QUIET: Final = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "remote.active-protocols": 1,
}


class Firefox:
    """A browser with an empty profile and one tab, as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._numbers = count(1)
        self._tab = ""

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _begin(self) -> None:
        address = self._start()
        opened = connect(
            f"{address}/session", max_size=_LARGEST_MESSAGE, compression=None, proxy=None, open_timeout=_ANSWERS_WITHIN
        )
        self._socket: ClientConnection = self._stack.enter_context(opened)
        self._ask("session.new", capabilities={})
        self._tab = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def _start(self) -> str:
        """Start the program; return the address on which it listens."""
        profile, log = self._folder / "profile", self._folder / "firefox.log"
        profile.mkdir()
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _QUIET.items())
        (profile / "user.js").write_text("".join(lines))
        command = (
            "firefox-esr",
            "--headless",
            "--no-remote",
            "--profile",
            str(profile),
            "--remote-debugging-port",
            "0",
        )
        with log.open("wb") as output:
            environment = {**os.environ, "HOME": str(self._folder), "MOZ_CRASHREPORTER_DISABLE": "1"}
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._stack.callback(wait, process, 10)
        self._stack.callback(process.terminate)

        def said() -> re.Match[str] | None:
            assert process.poll() is None, log.read_text(errors="replace")
            return re.search(r"listening on (ws://\S+)", log.read_text(errors="replace"))

        found = eventually(said, within=60, what="Firefox listens")
        assert found
        return found[1]

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=_ANSWERS_WITHIN))
            if message.get("id") == number:
                assert message["type"] == "success", message
                return message["result"]

    def go(self, url: str) -> None:
        self._ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def run(self, expression: str) -> Any:
        """Evaluate JavaScript, await the result if it is a promise, and return its value as JSON."""
        script = f"Promise.resolve({expression}).then(value => JSON.stringify(value ?? null))"
        answer = self._ask("script.evaluate", expression=script, target={"context": self._tab}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def click(self, selector: str) -> None:
        """Click in the middle of an element as a user does: only that allows sound."""
        script = f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({_box(selector)})"
        x, y = map(int, self.run(script))
        moves = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._perform({"type": "pointer", "id": "mouse", "actions": moves})

    def type(self, text: str) -> None:
        keys = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        self._perform({"type": "key", "id": "keyboard", "actions": keys})

    def _perform(self, device: dict[str, Any]) -> None:
        self._ask("input.performActions", context=self._tab, actions=[device])


def _box(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
