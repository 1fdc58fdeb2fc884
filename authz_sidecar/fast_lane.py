"""The fast lane of the sidecar's HTTP: nginx's question is answered where its headers end.

uvicorn makes a task, a scope, a timer and a cycle of objects for each request, ten times the work of the decision
itself; a question's answer is known at once and needs none of them. Everything else goes uvicorn's way, and so does
a question that comes while another request of its connection is still being answered.
"""

from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from authz_sidecar.authorize import Authorize

_QUESTION: Final = b"/authorize"


class FastLane(HttpToolsProtocol):
    """One connection. `for_questions` gives the class that answers with an `Authorize`.

    An idle connection is the peer's to close: it is nginx, which keeps as many as it wants.
    """

    authorize: ClassVar[Authorize]
    _is_answered = False

    @classmethod
    def for_questions(cls, authorize: Authorize) -> "type[FastLane]":
        return type("FastLane", (cls,), {"authorize": authorize})

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue, self._is_answered = b"", [], False, False

    def on_headers_complete(self) -> None:
        if self.url != _QUESTION or not self._is_free():
            self._go_uvicorns_way()
            return
        try:
            response = self.authorize.answer(dict(self.headers)).response
        except Exception:  # noqa: BLE001 - a bug fails uvicorn's way: closed, with its traceback in the log
            self._go_uvicorns_way()
            return
        self._is_answered = True
        self.transport.write(response)

    def on_body(self, body: bytes) -> None:
        if not self._is_answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_answered:
            super().on_message_complete()

    def _is_free(self) -> bool:
        """Tell whether nothing else is under way and the connection stays open, as nginx's do."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle and not self.flow.write_paused and self.parser.should_keep_alive()

    def _go_uvicorns_way(self) -> None:
        """Make up for what `on_message_begin` left out, and go on."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
