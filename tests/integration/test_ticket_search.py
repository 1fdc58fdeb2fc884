"""Ticket search: by any part, up to date with every change, and explicit about incomplete results."""

import string
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text, update

from control_plane.clock import utc_now
from control_plane.codes import canonical
from control_plane.db.database import Database
from control_plane.lifecycle import deletion
from control_plane.tables import Ticket
from control_plane.tickets import ticket_search, tickets
from control_plane.tickets.tickets import TicketFilter
from tests.support.clients.api import Admin
from tests.support.data.searches import NOW, add, add_event, find, ids

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def test_any_part_of_a_label_or_code_is_found_with_any_characters(database: Database) -> None:
    concert = await add_event(database)
    labels = [
        'Row 7 "A" OR B',
        "100%_sure",
        "it's NOT (this)",
        "Zoë Müller",
        "a*b-c:d^e",
        "日本のチケット",
        "back\\slash",
    ]
    made = {label: (await add(database, concert, label))[0] for label in labels}
    await add(database, concert, None)
    for label, ticket_id in made.items():
        for part in (label, label[:3], label[-3:], label[:2]):
            assert ticket_id in await ids(database, part), part
        assert await ids(database, label) == {ticket_id}
    for nothing in ("xyzzy", "OR NOT", '"', "100_", "%s%", "*"):
        found = await ids(database, nothing)
        assert all(nothing in label for label, one in made.items() if one in found), nothing


async def test_the_search_is_case_insensitive(database: Database) -> None:
    [ticket_id] = await add(database, await add_event(database), "VIP Balcony")
    async with database.read() as db:
        code = (await tickets.find(db, ticket_id)).code
    for part in ("vip bal", "VIP BAL", "vi", code, code.swapcase(), code[4:8].lower()):
        assert await ids(database, part) == {ticket_id}, part


async def test_a_code_is_found_in_any_spelling(database: Database) -> None:
    concert = await add_event(database)
    [ticket_id] = await add(database, concert, None)
    async with database.write() as db:
        await db.execute(update(Ticket).values(code="Ki0Lm7xQ2w"))
    for typed in ("Ki0L-m7xQ-2w", "https://tickets.example/#Ki0Lm7xQ2w", "Code: ki0lm7xq2w.", "k1oLm", "\u200bM7XQ "):
        assert await ids(database, typed) == {ticket_id}, typed
    for typed in ("--", "Ki0Lm7xQ3"):
        assert await ids(database, typed) == set(), typed


@pytest.mark.parametrize("code", ["K7F2X9M4B1C3", "iIlL1oO0", string.ascii_letters + string.digits])
async def test_the_database_and_python_compute_the_same_canonical_codes(database: Database, code: str) -> None:
    [ticket_id] = await add(database, await add_event(database), None)
    async with database.write() as db:
        await db.execute(update(Ticket).values(code=code))
    async with database.read() as db:
        assert (await tickets.find(db, ticket_id)).canonical == canonical(code)


async def test_the_search_keeps_in_step_with_every_change(database: Database) -> None:
    concert = await add_event(database)
    [ticket_id] = await add(database, concert, "Before")
    assert await ids(database, "before") == {ticket_id}
    async with database.write() as db:
        await db.execute(update(Ticket).values(label="Afterwards"))
    assert (await ids(database, "before"), await ids(database, "afterw")) == (set(), {ticket_id})
    async with database.write() as db:
        await db.execute(update(Ticket).values(label=None))
    assert await ids(database, "afterw") == set()
    async with database.write() as db:
        await db.execute(text("DELETE FROM ticket"))
    assert await ids(database, "before") == set()


async def test_rolled_back_tickets_are_not_found(database: Database) -> None:
    concert = await add_event(database)
    async with database.write() as db:
        await tickets.generate(db, concert, 1, utc_now(), "Never")
        await db.rollback()
    assert await ids(database, "never") == set()


async def test_the_search_is_narrowed_to_an_event_and_a_status(database: Database) -> None:
    on, over = await add_event(database), await add_event(database, hours=-100)
    mine, theirs = await add(database, on, "Guest", 3), await add(database, over, "Guest", 2)
    async with database.write() as db:
        await db.execute(update(Ticket).where(Ticket.id == mine[0]).values(is_revoked=True, redeemed_at=NOW))
        await db.execute(update(Ticket).where(Ticket.id == mine[1]).values(redeemed_at=NOW))
    for search in ("guest", "gu"):
        assert await ids(database, search) == {*mine, *theirs}
        assert await ids(database, search, event_id=on.id) == set(mine)
        assert await ids(database, search, status="expired") == set(theirs)
        assert await ids(database, search, status="revoked") == {mine[0]}
        assert await ids(database, search, status="redeemed", event_id=on.id) == {mine[1]}
        assert await ids(database, search, status="unused", event_id=on.id) == {mine[2]}
        assert await ids(database, search, status="unused", event_id=over.id) == set()


async def test_pages_of_a_search_show_every_ticket_once_newest_batch_first(database: Database) -> None:
    concert = await add_event(database)
    batches = [set(await add(database, concert, "Guest", 20)) for _ in range(3)]
    for wanted in ({}, {"event_id": concert.id}):
        pages = [await find(database, "guest", offset, 20, **wanted) for offset in (0, 20, 40, 60)]
        assert [{ticket.id for ticket in page.tickets} for page in pages] == [*batches[::-1], set()]
        assert {(page.total, page.is_whole) for page in pages} == {(60, True)}


async def test_an_incomplete_search_says_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_search, "MOST", 10)
    concert, small = await add_event(database), await add_event(database)
    await add(database, concert, "Oldest")
    await add(database, concert, "Guest", 30)
    mine = await add(database, small, "Guest", 5)
    common = await find(database, "guest")
    assert (common.total, common.is_whole, len(common.tickets)) == (10, False, 10)
    assert {ticket.id for ticket in common.tickets} >= set(mine)
    assert await ids(database, "oldest") == await ids(database, "oldest", event_id=concert.id) != set()
    assert (await find(database, "guest", event_id=small.id)).is_whole
    assert await ids(database, "guest", event_id=small.id) == set(mine)
    assert not (await find(database, "guest", event_id=concert.id)).is_whole
    short = await find(database, "ol")
    assert (short.is_whole, all(ticket.label == "Guest" for ticket in short.tickets)) == (False, True)


async def test_a_text_that_only_very_many_old_tickets_have_is_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_search, "MOST", 10)
    old = set(await add(database, await add_event(database), "Early bird", 30))
    await add(database, await add_event(database), "Guest", 30)
    pages = [await find(database, "early", offset, 4) for offset in (0, 4, 8, 12)]
    assert [len(page.tickets) for page in pages] == [4, 4, 2, 0]
    assert {ticket.id for page in pages for ticket in page.tickets} <= old
    assert {(page.total, page.is_whole) for page in pages} == {(10, False)}


async def test_the_api_also_says_so(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    await admin.codes(await admin.create_event(), 30, label="Guest")
    assert (await admin.list("/tokens", search="guest"))["note"] is None
    monkeypatch.setattr(ticket_search, "MOST", 20)
    found = await admin.list("/tokens", search="guest")
    assert (found["pagination"]["total"], found["pagination"]["totalPages"]) == (20, 1)
    assert found["note"].startswith("More tickets may match")
    assert (await admin.list("/tokens"))["note"] is None


async def test_the_number_of_tickets_keeps_in_step_with_every_change(database: Database) -> None:
    first, second = await add_event(database), await add_event(database)
    made = await add(database, first, "Guest", 3)
    await add(database, second, None, 2)

    async def totals() -> list[int]:
        async with database.read() as db:
            wanted = TicketFilter(), TicketFilter(first.id), TicketFilter(second.id)
            return [(await ticket_search.page(db, one, NOW, 0, 1)).total for one in wanted]

    assert await totals() == [5, 3, 2]
    async with database.write() as db:
        await deletion.delete_ticket(db, made[0], NOW)
    assert await totals() == [4, 2, 2]
    async with database.write() as db:
        await deletion.delete_event(db, second.id, second.title, NOW)
    assert await totals() == [2, 2, 0]
    async with database.write() as db:
        await tickets.generate(db, first, 5, utc_now())
        await db.rollback()
    assert await totals() == [2, 2, 0]
