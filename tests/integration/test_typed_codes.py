"""Typed and pasted codes: accepted if exactly one ticket matches, and recorded in its history either way."""

import pytest

from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "form", ["  {}\n", "Code: {}.", "https://tickets.example/#{}", "\u202e{}\u00ad", "<{}>", "\U0001f39f {} \u201d"]
)
async def test_a_pasted_code_is_accepted(admin: Admin, phone: ViewerClient, form: str) -> None:
    ticket = await admin.ticket()
    assert (await phone.validate(form.format(ticket["code"]))).status_code == 200
    grouped = "-".join(ticket["code"][start : start + 4] for start in (0, 4, 8))
    query = {"code": form.format(grouped)}
    assert (await phone.http.get(f"/api/events/{ticket['eventId']}/status", params=query)).status_code == 200


async def own_codes(admin: Admin, event_id: str, *codes: str) -> None:
    path = f"/api/admin/events/{event_id}/tokens/import"
    headers = {"Content-Type": "text/csv"}
    answer = await admin.http.post(path, content="\n".join(codes), headers=headers)
    assert answer.status_code == 201, answer.text


async def test_a_code_is_accepted_in_any_case_and_with_look_alikes_if_one_ticket_matches(
    admin: Admin, phone: ViewerClient
) -> None:
    event_id = await admin.create_event()
    await own_codes(admin, event_id, "Ki0Lm7xQ2w", "twin5Oa7", "TWIN50A7")
    for typed in ("kI0lM7XQ2W", "K1OIM7XQ2W", "KІ0LМ7xQ2w"):  # noqa: RUF001 - Cyrillic letters in the last one
        assert (await phone.validate(typed)).status_code == 200, typed
    assert claims_of(phone.token).sub == "Ki0Lm7xQ2w"
    assert (await phone.validate("twin5Oa7")).status_code == 200
    assert claims_of(phone.token).sub == "twin5Oa7"
    assert (await phone.validate("TWIN50A7")).status_code == 200
    assert (await phone.validate("twin50a7")).status_code == 401  # matches both


async def test_a_refused_code_is_in_the_history_of_its_ticket_in_any_spelling(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    event_id = await admin.create_event()
    await own_codes(admin, event_id, "Ki0Lm7xQ2w")
    [ticket] = (await admin.list("/tokens"))["data"]
    await admin.patch("tokens", ticket["id"], "revoke")
    assert (await phone.validate("kiOlm7xq2w")).status_code == 403
    await plane.services.audit_queue.write_behind()
    happenings = (await admin.list(f"/tokens/{ticket['id']}/history"))["data"]["happenings"]
    assert "revoked" in [one["entry"]["outcome"] for one in happenings if one["entry"]]
