"""Settings: an invalid value prevents the start with one sentence that names the variable and never its value."""

from pathlib import Path

import pytest
from argon2 import Type
from argon2.low_level import hash_secret
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from authz_sidecar.contract.settings_errors import sentences
from authz_sidecar.settings import SidecarSettings
from control_plane.settings import Settings
from tests.support.data.key_sets import ed25519_key, oct_key, public, write_keys


def hashed(kib: int = 8, passes: int = 1, threads: int = 1, salt: int = 16, digest: int = 32) -> str:
    """Return a cheap and deterministic hash, since each pytest worker must generate the same tests."""
    return hash_secret(b"hunter2", b"s" * salt, passes, kib, threads, digest, Type.ID).decode()


PASSWORD_HASH = hashed()
GOOD = {"PLAYBACK_SIGNING_SECRET": "p" * 32, "INTERNAL_API_KEY": "k" * 32}
SERVICES = [Settings, SidecarSettings]
BOTH = [
    ("PLAYBACK_KEYS_FILE", "keys/hunter2.json"),
    ("PLAYBACK_KEYS_FILE", "/dev"),
    ("PLAYBACK_SIGNING_SECRET", "p" * 31),
    ("INTERNAL_API_KEY", "k" * 31),
    ("INTERNAL_API_KEY", ""),
]
CONTROL_PLANE = [
    ("PLAYBACK_TOKEN_SECONDS", "29"),
    ("PLAYBACK_TOKEN_SECONDS", "3601"),
    ("PLAYBACK_TOKEN_SECONDS", "an hour"),
    ("SESSION_TIMEOUT_SECONDS", "4"),
    ("SESSION_TIMEOUT_SECONDS", "3601"),
    ("DATABASE_URL", "mysql://root:hunter2@db/streamgate"),
    ("DATABASE_URL", "postgresql://root:hunter2@db/streamgate"),
    ("DATABASE_URL", ""),
    ("REDIS_URL", "http://root:hunter2@cache"),
    ("ADMIN_PASSWORD_HASH", "hunter2hunter2"),
    ("ADMIN_PASSWORD_HASH", "$argon2i$v=19$hunter2"),
    ("ADMIN_PASSWORD_HASH", "$argon2id$"),
    ("ADMIN_PASSWORD_HASH", "$argon2id$v=19$hunter2"),
    *(("ADMIN_PASSWORD_HASH", PASSWORD_HASH[:-cut]) for cut in (1, 2, 4, 20, 43, 44)),
    ("ADMIN_PASSWORD_HASH", PASSWORD_HASH.replace("argon2id", "argon2i")),
    ("ADMIN_PASSWORD_HASH", PASSWORD_HASH[:-1] + "="),
    ("ADMIN_PASSWORD_HASH", PASSWORD_HASH[:-1] + "\u00e9"),
    ("ADMIN_PASSWORD_HASH", PASSWORD_HASH.replace("m=8,", "m=7,")),
    ("ADMIN_PASSWORD_HASH", PASSWORD_HASH.replace("m=8,", f"m={256 * 1024 + 1},")),
    ("ADMIN_PASSWORD_HASH", PASSWORD_HASH.replace("t=1,", "t=17,")),
    ("ADMIN_PASSWORD_HASH", PASSWORD_HASH.replace("p=1$", "p=65$")),
    ("ADMIN_PASSWORD_HASH", hashed(salt=70, digest=64)),
    ("PLAYBACK_KEYS_FILE", "/dev/null"),
    ("APP_NAME", "x" * 61),
    ("ORGANISER_CONTACT", "javascript:alert(1)"),
    ("ORGANISER_CONTACT", "call us"),
    ("IMPRINT_URL", "javascript:alert(1)"),
    ("PRIVACY_URL", "/privacy"),
    ("APP_NAME", ""),
    ("APP_ACCENT", "reddish"),
    ("APP_ACCENT", "#12345G"),
    ("APP_LOGO_FILE", "/nowhere/logo.svg"),
    ("HLS_SERVER_BASE_URL", "streams.example.org"),
    ("HLS_SERVER_INTERNAL_URL", "streams.example.org"),
    ("WEBHOOK_ALLOW_PRIVATE", "sometimes"),
    ("PLATFORM_APP_URL", "javascript:alert(1)"),
    *(
        ("EMBED_ALLOWED_HOSTS", hosts)
        for hosts in ("*", "*.example.org", "https://a.example", "a.example/x", "a b", "[::1]")
    ),
    *(("EMBED_ALLOWED_HOSTS", hosts) for hosts in ("a.example;", "'none'", "a.example:0", "a.example script-src *")),
]
SIDECAR = [
    ("CONTROL_PLANE_URL", "control-plane.internal"),
    ("CONTROL_PLANE_URL", "unix:relative.sock"),
    ("EDGE_NAME", "edge one"),
    ("EDGE_NAME", "e" * 65),
    ("REVOCATION_POLL_INTERVAL_MS", "99"),
    ("REVOCATION_POLL_INTERVAL_MS", "30001"),
    ("REVOCATION_POLL_INTERVAL_MS", "often"),
    ("REVOCATION_MAX_STALE_SECONDS", "0"),
]
NONSENSE = [(service, *row) for service in SERVICES for row in BOTH]
NONSENSE += [(Settings, *row) for row in CONTROL_PLANE] + [(SidecarSettings, *row) for row in SIDECAR]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with only the settings that both services need."""
    for name in Settings.model_fields.keys() | SidecarSettings.model_fields.keys():
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def complaints(service: type[BaseSettings]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        service()
    return sentences(caught.value.errors())


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("service", SERVICES)
def test_only_two_secrets_are_required(service: type[BaseSettings]) -> None:
    service()


@pytest.mark.parametrize("service", SERVICES)
def test_a_missing_secret_is_named(environment: pytest.MonkeyPatch, service: type[BaseSettings]) -> None:
    environment.delenv("INTERNAL_API_KEY")
    assert complaints(service) == ["INTERNAL_API_KEY is not set."]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("secret", ["", None])
def test_without_secret_and_key_file_both_are_named(
    environment: pytest.MonkeyPatch, service: type[BaseSettings], secret: str | None
) -> None:
    environment.delenv("PLAYBACK_SIGNING_SECRET")
    if secret is not None:
        environment.setenv("PLAYBACK_SIGNING_SECRET", secret)
        environment.setenv("PLAYBACK_KEYS_FILE", "")
    assert complaints(service) == ["PLAYBACK_SIGNING_SECRET is not set, and PLAYBACK_KEYS_FILE is not set either."]


@pytest.mark.parametrize("service", SERVICES)
def test_a_key_file_replaces_the_secret(
    environment: pytest.MonkeyPatch, service: type[Settings] | type[SidecarSettings], tmp_path: Path
) -> None:
    write_keys(tmp_path / "keys.json", oct_key("mine"))
    environment.delenv("PLAYBACK_SIGNING_SECRET")
    environment.setenv("PLAYBACK_KEYS_FILE", str(tmp_path / "keys.json"))
    assert service().open_keys().ring.kids == ["mine"]


def test_public_keys_are_enough_for_a_sidecar_and_not_for_a_control_plane(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_keys(tmp_path / "keys.json", public(ed25519_key()))
    environment.setenv("PLAYBACK_KEYS_FILE", str(tmp_path / "keys.json"))
    SidecarSettings()
    assert complaints(Settings) == [
        "PLAYBACK_KEYS_FILE: the first key is public and can verify playback tokens, not sign them."
    ]


@pytest.mark.parametrize(("service", "name", "value"), NONSENSE)
def test_an_invalid_value_prevents_the_start_with_one_sentence_that_names_the_variable_and_not_the_value(
    environment: pytest.MonkeyPatch, service: type[BaseSettings], name: str, value: str
) -> None:
    environment.setenv(name, value)
    [sentence] = complaints(service)
    assert sentence.startswith(f"{name}: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not value or value not in sentence
    assert "hunter2" not in sentence


def test_all_errors_are_reported_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PLAYBACK_TOKEN_SECONDS", "0")
    environment.delenv("INTERNAL_API_KEY")
    assert len(complaints(Settings)) == 2


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_are_never_printed(environment: pytest.MonkeyPatch, service: type[BaseSettings]) -> None:
    environment.setenv("ADMIN_PASSWORD_HASH", PASSWORD_HASH)
    settings = service()
    for text in (str(settings), repr(settings), settings.model_dump_json()):
        assert not [secret for secret in ("p" * 32, "k" * 32, PASSWORD_HASH[-20:]) if secret in text]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("service", SERVICES)
def test_settings_are_frozen(service: type[BaseSettings]) -> None:
    with pytest.raises(ValidationError):
        service().internal_api_key = "x"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLAYBACK_TOKEN_SECONDS", "30"),
        ("PLAYBACK_TOKEN_SECONDS", "3600"),
        ("SESSION_TIMEOUT_SECONDS", "5"),
        ("DATABASE_URL", "postgresql+psycopg://streamgate@db/streamgate"),
        ("APP_ACCENT", "#aBcDeF"),
        ("HLS_SERVER_BASE_URL", ""),
    ],
)
def test_boundary_values_start(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    assert str(getattr(Settings(), name.lower())) == value


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"kib": 65_536, "passes": 3, "threads": 4},  # those of `streamgate hash-password`
        {"kib": 19_456, "passes": 2, "digest": 64},
        {"kib": 256 * 1024},
        {"passes": 16},
    ],
)
def test_a_complete_hash_of_any_parameters_is_accepted(
    environment: pytest.MonkeyPatch, parameters: dict[str, int]
) -> None:
    password_hash = hashed(**parameters)
    environment.setenv("ADMIN_PASSWORD_HASH", password_hash)
    taken = Settings().admin_password_hash
    assert taken
    assert taken.get_secret_value() == password_hash


def test_a_logo_that_exists_is_accepted(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.touch()
    environment.setenv("APP_LOGO_FILE", str(logo))
    assert Settings().app_logo_file == logo


def test_origins_lose_their_trailing_slash(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PLATFORM_APP_URL", "https://tickets.example.org/")
    environment.setenv("CONTROL_PLANE_URL", "http://127.0.0.1:8081/")
    assert Settings().platform_app_url == "https://tickets.example.org"
    assert SidecarSettings().control_plane_url == "http://127.0.0.1:8081"
