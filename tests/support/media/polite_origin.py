"""Origins that require credentials, like real ones: MediaMTX, and one that requires a signed query."""

from http import HTTPStatus

from tests.support.media.origin import Answerer, Asked, Origin, Reply


def like_mediamtx(origin: Origin, secret: str) -> None:
    """Let all existing replies behave like MediaMTX 1.18 (internal/servers/hls/http_server.go) with an hlsCDNSecret.

    Without the secret a playlist redirects to `?cookieCheck=1`, and nothing else is served without a session.
    """
    for path, reply in list(origin.replies.items()):
        origin.replies[path] = _guarded(reply, secret)


def wants_query(origin: Origin, query: str) -> None:
    """Let all existing replies be 403 unless the URL is signed."""
    for path, reply in list(origin.replies.items()):
        origin.replies[path] = _signed(reply, query)


def _guarded(reply: Reply | Answerer, secret: str) -> Answerer:
    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") == f"Bearer {secret}":
            return reply(asked) if callable(reply) else reply
        path = asked.target.partition("?")[0]
        if not path.endswith(".m3u8"):
            return Reply(HTTPStatus.BAD_REQUEST, b"no session")
        cookie = "cookieCheck=1; HttpOnly; Secure; SameSite=None; Partitioned"
        return Reply(302, b"", {"Location": f"{path}?cookieCheck=1", "Set-Cookie": cookie})

    return answer


def _signed(reply: Reply | Answerer, query: str) -> Answerer:
    def answer(asked: Asked) -> Reply:
        if query not in asked.target.partition("?")[2].split("&_HLS_")[0]:
            return Reply(403, b"not signed")
        return reply(asked) if callable(reply) else reply

    return answer
