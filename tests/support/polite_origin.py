"""Origins that want to be asked politely, as real ones do: MediaMTX, and one that wants a signed query."""

from http import HTTPStatus

from tests.support.origin import Answerer, Asked, Origin, Reply


def like_mediamtx(origin: Origin, secret: str) -> None:
    """Let all that is there answer as MediaMTX 1.18 does (internal/servers/hls): a bearer secret, or the cookie check.

    Who shows neither is sent to `?cookieCheck=1` with a cookie; who comes there without it cannot keep cookies: 400.
    """
    for path, reply in list(origin.replies.items()):
        origin.replies[path] = _guarded(reply, secret)


def wants_query(origin: Origin, query: str) -> None:
    """Let all that is there answer 403 unless its address is signed."""
    for path, reply in list(origin.replies.items()):
        origin.replies[path] = _signed(reply, query)


def _guarded(reply: Reply | Answerer, secret: str) -> Answerer:
    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") == f"Bearer {secret}":
            return reply(asked) if callable(reply) else reply
        if "cookieCheck=1" in asked.target:
            return Reply(HTTPStatus.BAD_REQUEST, b"cookies are required")
        path = asked.target.partition("?")[0].rpartition("/")[2]
        return Reply(302, b"", {"Location": f"{path}?cookieCheck=1", "Set-Cookie": "cookieCheck=1; Path=/"})

    return answer


def _signed(reply: Reply | Answerer, query: str) -> Answerer:
    def answer(asked: Asked) -> Reply:
        if query not in asked.target.partition("?")[2].split("&_HLS_")[0]:
            return Reply(403, b"not signed")
        return reply(asked) if callable(reply) else reply

    return answer
