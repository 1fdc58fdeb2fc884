"""The fast lane of the sidecar's HTTP server: an authorization request is answered as soon as its headers are complete.

For each request uvicorn creates a task, a scope, a timer and a request cycle, ten times the work of the decision
itself; an authorization is answered synchronously and needs none of them. uvicorn handles everything else, and also an
authorization request that arrives while another request on its connection is still being answered.
"""

from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from authz_sidecar.authorize import Authorize

_AUTHORIZE_PATH: Final = b"/authorize"


class FastLane(HttpToolsProtocol):
    """One connection. `with_authorize` returns the subclass that answers with a given `Authorize`.

    Idle connections are never closed from this side: the peer is nginx, which limits its own idle connections.
    """

    authorize: ClassVar[Authorize]
    _is_answered = False

    @classmethod
    def with_authorize(cls, authorize: Authorize) -> "type[FastLane]":
        return type("FastLane", (cls,), {"authorize": authorize})

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue, self._is_answered = b"", [], False, False

    def on_headers_complete(self) -> None:
        if self.url != _AUTHORIZE_PATH or not self._can_answer_directly():
            self._handle_with_uvicorn()
            return
        try:
            response = self.authorize.answer(dict(self.headers)).response
        except Exception:  # noqa: BLE001 - uvicorn reports a bug: it answers 500 and logs the traceback
            self._handle_with_uvicorn()
            return
        self._is_answered = True
        self.transport.write(response)

    def on_body(self, body: bytes) -> None:
        if not self._is_answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_answered:
            super().on_message_complete()

    def _can_answer_directly(self) -> bool:
        """Return whether no other request is in progress and the connection is kept alive, as nginx's are."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle and not self.flow.write_paused and self.parser.should_keep_alive()

    def _handle_with_uvicorn(self) -> None:
        """Do what `on_message_begin` skipped, then continue in uvicorn."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
