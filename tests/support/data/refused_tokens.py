"""The table of tokens that must be refused. Each differs from a valid one only in what its name says.

The idea is Wycheproof's (https://github.com/C2SP/wycheproof): attacks as data. PyJWT alone accepts many of these.
"""

import json
from typing import Any, Final

from tests.support.data.forging import (
    CLAIMS,
    EVENT_ID,
    HEADER,
    NOW,
    OTHER_EVENT_ID,
    PROBE_CLAIMS,
    SECRET,
    encode,
    forge,
    good_token,
    to_bytes,
    with_claim_text,
    with_claims,
    with_header,
    without_claim,
)

GOOD: Final = good_token()
_HEADER_PART, _PAYLOAD_PART, _SIGNATURE_PART = GOOD.split(".")
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_DEEP: Final = "[" * 100_000 + "]" * 100_000


def _unsigned(header: dict[str, Any]) -> str:
    return f"{encode(to_bytes(header))}.{_PAYLOAD_PART}."


def _second_spelling(part: str) -> str:
    """Set an unused bit of the last character: the text changes, the decoded bytes do not."""
    return part[:-1] + _ALPHABET[_ALPHABET.index(part[-1]) + 1]


def _twice(members: dict[str, Any], name: str, value: Any) -> str:
    return json.dumps(members)[:-1] + f", {json.dumps(name)}: {json.dumps(value)}}}"


ALGORITHMS: Final = {
    "alg none without a signature": _unsigned({"alg": "none", "typ": "JWT"}),
    "alg none with a good signature": with_header(alg="none"),
    "alg None spelled otherwise": with_header(alg="nOnE"),
    "alg missing": forge({"typ": "JWT"}, CLAIMS),
    "alg null": with_header(alg=None),
    "alg a list": with_header(alg=["HS256"]),
    "alg in lower case": with_header(alg="hs256"),
    "HS384, signed so": forge(HEADER | {"alg": "HS384"}, CLAIMS, digest="sha384"),
    "HS512, signed so": forge(HEADER | {"alg": "HS512"}, CLAIMS, digest="sha512"),
    "HS384 named, HS256 signed": with_header(alg="HS384"),
    "RS256 named, HS256 signed": with_header(alg="RS256"),
    "ES256 named, HS256 signed": with_header(alg="ES256"),
    "EdDSA named, HS256 signed": with_header(alg="EdDSA"),
    "another secret": forge(HEADER, CLAIMS, secret="another secret of tests, long enough"),
    "an empty secret": forge(HEADER, CLAIMS, secret=""),
    "half a signature": GOOD[:-22],
    "a signature of zeros": f"{_HEADER_PART}.{_PAYLOAD_PART}.{encode(bytes(32))}",
    "the signature of another token": f"{_HEADER_PART}.{_PAYLOAD_PART}.{with_claims(sid='t' * 22).split('.')[2]}",
}

HEADERS: Final = {
    "jku": with_header(jku="https://attacker.example/keys.json"),
    "jwk": with_header(jwk={"kty": "oct", "k": encode(SECRET.encode())}),
    "x5u": with_header(x5u="https://attacker.example/cert.pem"),
    "x5c": with_header(x5c=["MIIB"]),
    "crit": with_header(crit=["exp"], exp=NOW),
    "an empty crit": with_header(crit=[]),
    "b64": with_header(b64=True),
    "zip": with_header(zip="DEF"),
    "cty": with_header(cty="JWT"),
    "enc": with_header(enc="A256GCM"),
    "an unknown member": with_header(v=1),
    "typ of another kind": with_header(typ="at+jwt"),
    "typ in lower case": with_header(typ="jwt"),
    "typ null": with_header(typ=None),
    "kid that no key has": with_header(kid="k1"),
    "kid empty": with_header(kid=""),
    "kid a number": with_header(kid=1),
    "kid null": with_header(kid=None),
    "kid an object": with_header(kid={}),
    "kid a path": with_header(kid="../../dev/null"),
    "a key twice in the header": forge(_twice(HEADER, "alg", "HS256"), CLAIMS),
    "a header that is a list": forge('["HS256"]', CLAIMS),
    "a header that is no JSON": forge("HS256", CLAIMS),
    "a header in UTF-16": forge(json.dumps(HEADER).encode("utf-16"), CLAIMS),
    "a header with a BOM": forge(b"\xef\xbb\xbf" + to_bytes(HEADER), CLAIMS),
    "a header with NaN": forge(json.dumps(HEADER | {"kid": float("nan")}), CLAIMS),
    "a deeply nested header": forge(_DEEP[:2000], CLAIMS),
}

SPELLINGS: Final = {
    "nothing": "",
    "one part": _HEADER_PART,
    "two parts": f"{_HEADER_PART}.{_PAYLOAD_PART}",
    "four parts": f"{GOOD}.{_SIGNATURE_PART}",
    "an empty header": f".{_PAYLOAD_PART}.{_SIGNATURE_PART}",
    "an empty payload": f"{_HEADER_PART}..{_SIGNATURE_PART}",
    "an empty signature": f"{_HEADER_PART}.{_PAYLOAD_PART}.",
    "only dots": "..",
    "= after the header": f"{_HEADER_PART}=.{_PAYLOAD_PART}.{_SIGNATURE_PART}",
    "= after the payload": f"{_HEADER_PART}.{_PAYLOAD_PART}=.{_SIGNATURE_PART}",
    "= after the signature": GOOD + "=",
    "== after the signature": GOOD + "==",
    "unused bits in the signature": f"{_HEADER_PART}.{_PAYLOAD_PART}.{_second_spelling(_SIGNATURE_PART)}",
    "one character too many": GOOD + "A",
    "a part of an impossible length": f"{_HEADER_PART}.{_PAYLOAD_PART}.{_SIGNATURE_PART}AA",
    "a space before": " " + GOOD,
    "a space after": GOOD + " ",
    "a newline after": GOOD + "\n",
    "a newline inside": GOOD[:50] + "\n" + GOOD[50:],
    "a NUL after": GOOD + "\0",
    "standard base64": f"{_HEADER_PART}.{_PAYLOAD_PART}.+/{_SIGNATURE_PART[2:]}",
    "not ASCII": GOOD + "é",
    "full-width letters": "\uff45" + GOOD[1:],
    "the word Bearer before": "Bearer " + GOOD,
    "a second token after": f"{GOOD}, {GOOD}",
    "a JWS in JSON": json.dumps({"payload": _PAYLOAD_PART, "signature": _SIGNATURE_PART}),
}

PAYLOADS: Final = {
    "a key twice": forge(HEADER, _twice(CLAIMS, "exp", CLAIMS["exp"])),
    "a key twice, the last one longer-lived": forge(HEADER, _twice(CLAIMS, "exp", NOW + 10**6)),
    "a key twice, once escaped": forge(HEADER, _twice(CLAIMS, "exp", 1).replace('"exp": 1}', '"\\u0065xp": 1}')),
    "UTF-16": forge(HEADER, json.dumps(CLAIMS).encode("utf-16")),
    "UTF-16 without a BOM": forge(HEADER, json.dumps(CLAIMS).encode("utf-16-le")),
    "UTF-32": forge(HEADER, json.dumps(CLAIMS).encode("utf-32")),
    "a BOM": forge(HEADER, b"\xef\xbb\xbf" + to_bytes(CLAIMS)),
    "invalid UTF-8": forge(HEADER, to_bytes(CLAIMS).replace(b"K7F2", b"K7\xff2")),
    "an overlong encoding": forge(HEADER, to_bytes(CLAIMS).replace(b"K7F2", b"K7\xc1\x862")),
    "a list": forge(HEADER, [CLAIMS]),
    "a string": forge(HEADER, '"claims"'),
    "a number": forge(HEADER, "1"),
    "null": forge(HEADER, "null"),
    "an empty object": forge(HEADER, {}),
    "no JSON": forge(HEADER, "eid=1"),
    "something after the object": forge(HEADER, json.dumps(CLAIMS) + "{}"),
    "deep nesting": forge(HEADER, _DEEP[:3000]),
    "deep nesting in a claim": with_claim_text("sub", "[" * 1200 + "]" * 1200),
}

TIMES: Final = {
    f"{name} {text}": with_claim_text(name, text)
    for name in ("iat", "exp")
    for text in (
        "NaN", "Infinity", "-Infinity", "1e308", "1e999", str(10**30), "253402300800", f"{CLAIMS[name]}.0",
        f"{CLAIMS[name]}.5", f'"{CLAIMS[name]}"', "true", "false", "null", "-1", "[1]", "{}", "9" * 2000,
    )
} | {
    "iat at exp": with_claims(exp=CLAIMS["iat"]),
    "iat after exp": with_claims(exp=NOW - 11),
    "iat more than a minute ahead": with_claims(iat=NOW + 61),
    "iat a day ahead": with_claims(iat=NOW + 86_400, exp=NOW + 90_000),
}  # fmt: skip

CLAIM_VALUES: Final = {
    **{f"without {name}": without_claim(name) for name in CLAIMS},
    "an additional claim": with_claims(role="admin"),
    "nbf": with_claims(nbf=NOW),
    "aud": with_claims(aud="streams"),
    **{
        f"sp {value!r}": with_claims(sp=value)
        for value in (
            "", "/", "/streams/", f"/streams/{EVENT_ID}", f"/streams/{EVENT_ID}//", f"streams/{EVENT_ID}/",
            f"/streams/{OTHER_EVENT_ID}/", f"/streams/{EVENT_ID}/../{OTHER_EVENT_ID}/", f"/streams/{EVENT_ID}/..",
            f"/streams/{EVENT_ID.upper()}/", f"/streams/{EVENT_ID}/hd/", f"/streams/{EVENT_ID}/ ", None, 1, True,
            [f"/streams/{EVENT_ID}/"], {"0": f"/streams/{EVENT_ID}/"},
        )
    },
    **{
        f"eid {value!r}": with_claims(eid=value, sp=f"/streams/{value}/")
        for value in (
            EVENT_ID.upper(), EVENT_ID[:-1], EVENT_ID + "0", EVENT_ID.replace("-", ""), f"{{{EVENT_ID}}}",
            EVENT_ID + "\n", "..", "", "event", None, 1, [EVENT_ID], EVENT_ID[:-1] + "g", EVENT_ID[:-1] + "\u0663",
        )
    },
    **{
        f"sub {value!r}": with_claims(sub=value)
        for value in (
            "", "K7F2X9M", "K" * 65, "K7F2-X9M4", "K7F2X9M4\n", "K7F2X9M4B1Cé", "K7F2X9M4B1C\u0663", "../../etc",
            None, 12345678,
            ["K7F2X9M4B1C3"], True,
        )
    },
    **{
        f"sid {value!r}": with_claims(sid=value)
        for value in (
            "", "s" * 15, "s" * 65, "s" * 21 + "\n", "s" * 21 + ".", "s" * 21 + "é", None, 1, ["s" * 22], True,
        )
    },
    "sub in place of sid": with_claims(sid=CLAIMS["sub"]),
}  # fmt: skip

PROBES: Final = {
    "probe false": forge(HEADER, PROBE_CLAIMS | {"probe": False}),
    "probe 1": forge(HEADER, PROBE_CLAIMS | {"probe": 1}),
    "probe a string": forge(HEADER, PROBE_CLAIMS | {"probe": "true"}),
    "probe null": forge(HEADER, PROBE_CLAIMS | {"probe": None}),
    "probe with sub": forge(HEADER, PROBE_CLAIMS | {"sub": CLAIMS["sub"]}),
    "probe with sid": forge(HEADER, PROBE_CLAIMS | {"sid": CLAIMS["sid"]}),
    "probe beside everything": with_claims(probe=True),
    "probe false beside everything": with_claims(probe=False),
    "a probe's claims without probe": forge(HEADER, {k: v for k, v in PROBE_CLAIMS.items() if k != "probe"}),
}

REFUSED: Final = {
    f"{part}: {name}": token
    for part, table in {
        "algorithm": ALGORITHMS,
        "header": HEADERS,
        "spelling": SPELLINGS,
        "payload": PAYLOADS,
        "time": TIMES,
        "claim": CLAIM_VALUES,
        "probe": PROBES,
    }.items()
    for name, token in table.items()
}
