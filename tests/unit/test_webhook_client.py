"""How a message is signed, identified and retried."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.webhooks.outbox import message_id
from control_plane.webhooks.retries import PAUSES, next_attempt, rest_until
from control_plane.webhooks.webhook_client import new_secret, sign

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


def test_a_signature_is_the_one_of_the_published_example() -> None:
    secret, message, body = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
    )
    assert sign(secret, message, 1614265330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_secret_is_new_and_fits_its_column() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(secret.startswith("whsec_") and len(secret) <= 64 for secret in secrets)


def test_two_messages_never_share_an_id_even_if_the_database_reuses_a_number() -> None:
    assert message_id(1, NOW) != message_id(1, NOW + timedelta(seconds=1))
    assert "." not in message_id(1, NOW)


def test_a_message_is_tried_eight_times_within_two_days() -> None:
    moments = [NOW]
    while following := next_attempt(len(moments), moments[-1]):
        moments.append(following)
    assert len(moments) == 8
    assert timedelta(hours=24) < moments[-1] - NOW < timedelta(hours=48)


def test_pauses_have_jitter() -> None:
    pauses = {next_attempt(1, NOW) for _ in range(50)}
    assert len(pauses) > 10
    assert all(pause and 0.8 * PAUSES[0] <= pause - NOW <= 1.2 * PAUSES[0] for pause in pauses)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (1000, 60)])
def test_a_webhook_pauses_longer_with_each_failure_up_to_about_a_minute(failures: int, seconds: int) -> None:
    assert 0.8 * seconds <= (rest_until(failures, NOW) - NOW).total_seconds() <= 1.2 * seconds


def test_a_webhook_without_failures_does_not_pause() -> None:
    assert rest_until(0, NOW) == NOW
