"""Valid playback tokens, and texts that only look like one."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.contract.playback_token import (
    CLOCK_SKEW_SECONDS,
    LATEST_TIME,
    LEEWAY_SECONDS,
    MAX_TOKEN_LENGTH,
    Claims,
    TokenFromTheFuture,
    TokenRefused,
    mint,
    stream_prefix,
    verify,
)
from tests.support.data.forging import (
    CLAIMS,
    EVENT_ID,
    HEADER,
    NOW,
    PROBE_CLAIMS,
    RING,
    SID,
    forge,
    good_token,
    with_claims,
)
from tests.support.data.refused_tokens import REFUSED

VIEWER = Claims(eid=EVENT_ID, iat=NOW, exp=NOW + 3600, sub="K7F2X9M4B1C3", sid=SID)
PROBE = Claims(eid=EVENT_ID, iat=NOW, exp=NOW + 10, probe=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


@pytest.mark.parametrize("claims", [VIEWER, PROBE], ids=["viewer", "probe"])
def test_a_minted_token_is_verified_with_the_same_claims(claims: Claims) -> None:
    assert verify(mint(claims, RING), RING, NOW) == claims


def test_a_token_made_by_hand_in_the_published_form_is_accepted() -> None:
    claims = verify(good_token(), RING, NOW)
    assert claims == Claims(eid=EVENT_ID, iat=NOW - 10, exp=NOW + 3590, sub="K7F2X9M4B1C3", sid=SID)
    assert verify(forge(HEADER, PROBE_CLAIMS), RING, NOW).probe


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED.keys())
def test_a_token_wrong_in_one_way_is_refused(token: str) -> None:
    with pytest.raises(TokenRefused):
        verify(token, RING, NOW)


def test_all_rows_of_the_table_are_different_tokens_and_none_is_the_valid_one() -> None:
    assert len({*REFUSED.values(), good_token()}) == len(REFUSED) + 1


@pytest.mark.parametrize("code", ["K" * 8, "K" * 64])
def test_codes_of_minimum_and_maximum_length_are_accepted(code: str) -> None:
    assert verify(with_claims(sub=code), RING, NOW).sub == code


@pytest.mark.parametrize("sid", ["s" * 16, "s" * 64, "-_" * 11])
def test_session_ids_of_every_allowed_kind_are_accepted(sid: str) -> None:
    assert verify(with_claims(sid=sid), RING, NOW).sid == sid


def test_an_expired_token_is_still_verified_since_expiry_is_checked_later() -> None:
    claims = verify(good_token(), RING, NOW + 10**6)
    assert claims.is_expired(NOW + 10**6)


def test_a_token_expires_when_its_leeway_is_over() -> None:
    assert not VIEWER.is_expired(VIEWER.exp + LEEWAY_SECONDS - 0.001)
    assert VIEWER.is_expired(VIEWER.exp + LEEWAY_SECONDS)


def test_an_issuer_one_minute_ahead_is_tolerated_and_one_further_ahead_is_not() -> None:
    assert verify(with_claims(iat=NOW + CLOCK_SKEW_SECONDS), RING, NOW)
    with pytest.raises(TokenFromTheFuture):
        verify(with_claims(iat=NOW + CLOCK_SKEW_SECONDS + 1), RING, NOW)


def test_times_reach_from_zero_to_the_year_9999() -> None:
    assert verify(with_claims(iat=0, exp=LATEST_TIME), RING, NOW).exp == LATEST_TIME


def test_a_token_of_exactly_the_longest_length_is_read_and_one_character_more_is_not() -> None:
    def padded(length: int) -> str:
        tokens = (forge(HEADER, json.dumps(CLAIMS).ljust(n)) for n in range(length))
        return next(token for token in tokens if len(token) >= length)

    assert len(padded(MAX_TOKEN_LENGTH)) == MAX_TOKEN_LENGTH
    assert verify(padded(MAX_TOKEN_LENGTH), RING, NOW).eid == EVENT_ID
    with pytest.raises(TokenRefused):
        verify(padded(MAX_TOKEN_LENGTH + 1), RING, NOW)


def test_the_only_prefix_a_token_is_valid_for_ends_in_a_slash() -> None:
    assert VIEWER.sp == stream_prefix(EVENT_ID) == f"/streams/{EVENT_ID}/"


def test_a_minted_token_has_only_the_published_claims() -> None:
    token = mint(VIEWER, RING)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token, re.ASCII)
    assert token == forge(
        '{"alg":"HS256","typ":"JWT"}',
        f'{{"eid":"{EVENT_ID}","sp":"/streams/{EVENT_ID}/","iat":{NOW},"exp":{NOW + 3600},'
        f'"sub":"K7F2X9M4B1C3","sid":"{SID}"}}',
    )


@given(st.data())
def test_a_valid_token_with_any_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = good_token()
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[place]))
    _refused(token[:place] + other + token[place + 1 :])


@given(st.integers(0, len(good_token()) - 1))
def test_a_valid_token_with_any_one_character_missing_is_refused(place: int) -> None:
    token = good_token()
    _refused(token[:place] + token[place + 1 :])


@given(st.text() | st.from_regex(r"\A[\w-]{1,60}\.[\w-]{1,60}\.[\w-]{1,60}\Z"))
def test_random_text_is_refused_without_any_other_error(text: str) -> None:
    _refused(text)


@given(st.binary())
def test_random_bytes_with_a_valid_signature_are_refused_as_header_and_as_payload(data: bytes) -> None:
    _refused(forge(HEADER, data))
    _refused(forge(data, CLAIMS))


@given(st.sampled_from(sorted(CLAIMS)), JSON)
def test_a_claim_of_any_value_is_accepted_as_itself_or_refused(name: str, value: Any) -> None:
    try:
        claims = verify(with_claims(**{name: value}), RING, NOW)
    except TokenRefused:
        return
    assert getattr(claims, name) == value
    assert type(getattr(claims, name)) is type(value)


def _refused(token: str) -> None:
    with pytest.raises(TokenRefused):
        verify(token, RING, NOW)
