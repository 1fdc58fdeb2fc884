"""All refusals that a viewer or an admin can get. Each has a word for programs and a sentence for people.

Only `web/errors.py` translates them to HTTP. They must not reveal more about other people than the sentence does.
"""

from collections.abc import Sequence
from datetime import datetime

from control_plane.end_reasons import MOVED, SENTENCES, EndReason


class Refusal(Exception):
    """The base class. `reason` is the word in the API, `str(refusal)` the sentence."""

    reason = "refused"
    sentence = ""
    reasons: tuple[str, ...] = ()  # if there are several: all that `reason` can be

    @classmethod
    def all_reasons(cls) -> tuple[str, ...]:
        return cls.reasons or (cls.reason,)

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


class MalformedRequest(Refusal):
    reason = "malformed"
    sentence = "Please enter your access code."


class UnknownCode(Refusal):
    reason = "unknown"
    sentence = "Invalid code. Please check your ticket and try again."


class TicketRevoked(Refusal):
    reason = EndReason.REVOKED.value
    sentence = SENTENCES[EndReason.REVOKED]


class EventUnavailable(Refusal):
    reason = EndReason.EVENT.value
    sentence = SENTENCES[EndReason.EVENT]


class TicketExpired(Refusal):
    reason = EndReason.EXPIRED.value

    def __init__(self, expires_at: datetime) -> None:
        self.expires_at = expires_at
        super().__init__(f"This code has expired. Access was available until {expires_at:%-d %B %Y, %H:%M} UTC.")


class TicketInUse(Refusal):
    reason = "in-use"
    sentence = "This access code is currently in use on another device."

    def __init__(self, *, can_take_over: bool) -> None:
        self.can_take_over = can_take_over
        super().__init__()


class SessionOver(Refusal):
    """The session has ended."""

    reasons = tuple(reason.value for reason in EndReason if reason not in MOVED)

    def __init__(self, reason: EndReason) -> None:
        self.reason = reason.value
        super().__init__(SENTENCES[reason])


class SessionTakenOver(SessionOver):
    """Another device has the seat now: `reason` is one of `end_reasons.MOVED`."""

    reasons = tuple(reason.value for reason in EndReason if reason in MOVED)

    def __init__(self, reason: EndReason = EndReason.TAKEN_OVER) -> None:
        super().__init__(reason)


class NoSession(Refusal):
    reason = "no-session"
    sentence = "There is no session to resume. Please enter your access code."


class TokenUnusable(Refusal):
    reason = "invalid"
    sentence = "Authorization required"


class TokenFinal(Refusal):
    """The session goes on: its current token already lasts as long as the ticket."""

    reason = "final"
    sentence = "This playback token is valid until the ticket expires and cannot be renewed."


class TvCodeUnusable(Refusal):
    reason = "tv-code"
    sentence = "This TV code is wrong or has expired. The TV shows the current one."


class TooManyAttempts(Refusal):
    reason = "rate-limited"
    sentence = "Too many attempts. Please wait a moment and try again."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class TooBusy(Refusal):
    reason = "busy"
    sentence = "Too many people are signing in at the moment. Please try again."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class Unavailable(Refusal):
    reason = "unavailable"
    sentence = "The service is temporarily unavailable. Please try again."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class TooLarge(Refusal):
    reason = "content-too-large"
    sentence = "The request is too large."


class UnsupportedForm(Refusal):
    reason = "unsupported-media-type"
    sentence = "Send this form as application/x-www-form-urlencoded in UTF-8."


class TakenOverTooOften(Refusal):
    """Devices keep taking over one ticket's seats from each other. `retry_after` is in seconds."""

    reason = "taken-over-too-often"
    sentence = "This code has moved between devices too often. Please stay on one device, or try again later."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class NotFound(Refusal):
    reason = "not-found"
    sentence = "Not found"


class Conflict(Refusal):
    reason = "conflict"


class SecretsKeyMissing(Conflict):
    sentence = "SECRETS_KEY is not set on the server, so no secret can be stored there."


class FieldRefused(Refusal):
    """The value of one field, given by its name in the API, is wrong in a way that the schema alone cannot detect."""

    reason = "invalid"

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        super().__init__(sentence)


class ImportRefused(Refusal):
    """Some lines of a file are wrong or doubtful; nothing was imported. `reason` is "invalid" or "doubtful"."""

    reasons = ("invalid", "doubtful")

    def __init__(self, problems: Sequence[tuple[int, str, bool]]) -> None:
        self.problems = problems
        wrong = sum(not is_question for *_, is_question in problems)
        self.reason = "invalid" if wrong else "doubtful"
        number = wrong or len(problems)
        lines = "One line is" if number == 1 else f"{number:,} lines are"
        super().__init__(f"{lines} {'wrong' if wrong else 'doubtful'}; nothing was imported.")


class SignInFailed(Refusal):
    reason = "sign-in-failed"
    sentence = "The user name, password or authentication code is wrong."


class SetupLinkUnusable(Refusal):
    reason = "setup-link"
    sentence = "This set-up link is wrong or has expired. `streamgate setup-link` prints a new one."


class SignInRequired(Refusal):
    reason = "sign-in-required"
    sentence = "Please sign in."


class Forbidden(Refusal):
    reason = "forbidden"
    sentence = "You do not have permission to do this."


class CrossOrigin(Refusal):
    reason = "cross-origin"
    sentence = "This request came from another site and was refused."


class OperatorError(Exception):
    """A problem that the operator can fix, described in one sentence."""

    exit_code = 1


class UsageError(OperatorError):
    """The command line asks for something impossible."""

    exit_code = 2
