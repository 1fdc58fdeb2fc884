"""Playback tokens, codes and cookies must never reach a log, whatever their carrier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.contract.redaction import redact
from tests.support.data.forging import CODE, EVENT_ID, good_token

TOKEN = good_token()
SECRETS = (TOKEN, *TOKEN.split("."), TOKEN[1:60], CODE, CODE[1:], "s3cret-of-a-cookie")
STREAM = f"/streams/{EVENT_ID}/stream.m3u8"
LINES = {
    "path carrier": f'open() "/srv{STREAM}" failed, request: "GET /t/{TOKEN}{STREAM} HTTP/1.1", host: "x"',
    "path carrier, damaged": f'request: "GET /t/x{TOKEN}%0a{STREAM} HTTP/1.1"',
    "query carrier": f'request: "GET {STREAM}?__token={TOKEN} HTTP/1.1"',
    "query carrier, upper case": f'request: "GET {STREAM}?__TOKEN={TOKEN}&a=b HTTP/1.1"',
    "query carrier, second place": f'upstream: "http://origin{STREAM}?_HLS_msn=1&__token={TOKEN}"',
    "code of the status": f'request: "GET /api/events/{EVENT_ID}/status?code={CODE} HTTP/1.1"',
    "code of the portal": f'referrer: "https://tickets.example/?lang=de&code={CODE}"',
    "code in a search": f'request: "GET /api/admin/tokens?search={CODE} HTTP/1.1", host: "x"',
    "code in a search, upstream": f'upstream: "http://unix:/run/c.sock:/api/admin/tokens?search={CODE}", host: "x"',
    "code in a search, referrer": f'host: "x", referrer: "http://x/admin/events/x?search={CODE}"',
    "code, its parameter misspelled": f'request: "GET /api/events/{EVENT_ID}/status?co%64e={CODE} HTTP/1.1"',
    "code in a query with quotes": f'request: "GET /?a="b", c={CODE} HTTP/1.1", upstream: "http://c/?a="b", c={CODE}"',
    "code in a query with a space": f'request: "GET /?a=b {CODE} HTTP/1.1", host: "x"',
    "code behind a #": f'request: "GET /#{CODE} HTTP/1.1", host: "x"',
    "code in a line cut off": f'request: "GET /?search={CODE}&x=' + "x" * 2000,
    "code as the path": f'request: "GET /{CODE} HTTP/1.1", upstream: "http://unix:/run/c.sock:/{CODE}", host: "x"',
    "code as the path, with a query": f'request: "GET /{CODE}/?lang=de HTTP/1.1", host: "x"',
    "code as the path, on a port": f'upstream: "http://127.0.0.1:8081/{CODE}", referrer: "http://x:8080/{CODE}"',
    "code as the path, partly encoded": f'request: "GET /%4b{CODE[1:]} HTTP/1.1"',
    "playback cookie": f"Cookie: lang=de; sg_playback={TOKEN}; sg_resume=s3cret-of-a-cookie",
    "admin cookie": 'cookie: "sg_admin=s3cret-of-a-cookie"',
    "bearer": f"Authorization: Bearer {TOKEN}",
    "bearer of an api key": "authorization: bearer s3cret-of-a-cookie",
    "a token by itself": f"token refused: {TOKEN}",
    "a token cut off": f"token refused: {TOKEN[:60]}",
    "a token partly encoded": f'request: "GET /x/{TOKEN.replace("ey", "%65y")} HTTP/1.1"',
    "two requests in a line": f'"GET /t/{TOKEN}{STREAM}" "GET /t/{TOKEN}{STREAM}?__token={TOKEN}"',
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_tokens_codes_and_cookies_are_removed_from_a_line(line: str) -> None:
    assert not [secret for secret in SECRETS if secret in redact(line)]


def test_information_that_operators_need_is_kept() -> None:
    line = f'2027/01/15 08:00:00 [error] 7#7: *1 open() "/srv{STREAM}" failed (2: No such file), client: 192.0.2.1'
    assert redact(line) == line
    assert STREAM in redact(LINES["path carrier"])
    assert f"{STREAM}?_HLS_msn=1&[query]" in redact(LINES["query carrier, second place"])
    assert 'stream.m3u8?[query] HTTP/1.1"' in redact(LINES["query carrier, upper case"])
    waits = (
        f'request: "GET {STREAM}?_HLS_msn=7&_HLS_part=0 HTTP/1.1", upstream: "http://o{STREAM}?_HLS_msn=7", host: "x"'
    )
    assert redact(waits) == waits
    assert redact(LINES["code in a search"]) == 'request: "GET /api/admin/tokens?[query] HTTP/1.1", host: "x"'
    assert 'upstream: "http://unix:/run/c.sock:/[code]", host: "x"' in redact(LINES["code as the path"])


@given(st.text() | st.from_regex(r'request: "GET [/?&#A-z0-9=% "]*", upstream: "http://[/?#&=A-z_%]*"'))
def test_redaction_is_idempotent(line: str) -> None:
    assert redact(redact(line)) == redact(line)


@given(st.text(alphabet=st.characters(codec="utf-8")), st.text(alphabet=st.characters(codec="utf-8")))
def test_a_token_is_found_at_any_position(before: str, after: str) -> None:
    assert TOKEN not in redact(f"{before} {TOKEN} {after}")
