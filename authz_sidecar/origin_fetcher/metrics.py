"""The fetcher's Prometheus metrics, served on its own socket only. Labels are statuses, never URLs or file names."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from starlette.types import Message, Send

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class FetcherMetrics:
    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._answers = Counter("streamgate_origin_answers", "Answers to nginx.", ["status"], registry=registry)
        self._bytes = Counter("streamgate_origin_bytes", "Bytes passed on.", registry=registry)
        self._broken_off = Counter("streamgate_origin_broken_off", "Answers cut off midway.", registry=registry)
        self._open = Gauge("streamgate_origin_fetches", "Requests from nginx in progress.", registry=registry)

    @contextmanager
    def fetching(self, send: Send) -> Iterator[Send]:
        """Count a request while it is open, its status and the bytes sent."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers.labels(str(message["status"])).inc()
            self._bytes.inc(len(message.get("body", b"")))
            await send(message)

        with self._open.track_inprogress():
            yield counted

    def note_broken_off(self) -> None:
        self._broken_off.inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
