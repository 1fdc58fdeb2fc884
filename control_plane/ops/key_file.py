"""The key file of one home: making a new key, dropping old ones, and the public half for edges that must not mint.

Nobody may be interrupted: the file is replaced whole by a rename, and a key goes only when the operator says so. Key
material is written into that file and nowhere else.
"""

import fcntl
import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authz_sidecar.contract.key_set import parse_key_set
from authz_sidecar.contract.key_source import FILE, SECRET
from authz_sidecar.contract.keys import KeyRing, KeysRefused
from authz_sidecar.contract.strict_json import parse_object
from control_plane.errors import OperatorError, UsageError
from control_plane.ops.home import add_setting, default_keys_file, read_environment, settings_file

_SECRET_BYTES: Final = 48

Jwk = dict[str, Any]


class Algorithm(StrEnum):
    HS256 = "HS256"
    EdDSA = "EdDSA"


class Step(StrEnum):
    """How a key comes to sign: at once, or in two steps where edges on other hosts have to learn it first."""

    AT_ONCE = "at-once"  # a fresh key goes in front
    STANDBY = "standby"  # a fresh key goes behind the one in front, for everybody to learn
    PROMOTE = "promote"  # the second key goes in front


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: `kid` is the fresh or promoted key, `kept` the others; None is the plain secret."""

    file: Path
    kid: str | None
    step: Step
    kept: list[str | None]
    dropped: list[str | None]


def rotate(
    home: Path, algorithm: Algorithm | None = None, keep: int | None = None, step: Step = Step.AT_ONCE
) -> Rotation:
    """Bring in a key; `keep` says how many of the older ones stay (all of them if None).

    The algorithm is that of the key in front unless named. Raise OperatorError, with nothing changed.
    """
    if keep is not None and keep < 0:
        raise UsageError("--keep cannot be negative.")
    environment = read_environment(home)
    file = _file(home, environment)
    with _problems_said(file), _only_one(file.parent):
        ring, key = _rotated(_present_keys(file, environment), algorithm, step)
        end = len(ring) if keep is None else keep + (2 if step is Step.STANDBY else 1)
        _replace(file, ring[:end])
        # Asked now: another rotation may have been here first. Without a settings file `up` finds it by its place.
        if settings_file(home).exists() and not read_environment(home).get(FILE):
            add_setting(home, FILE, str(file))
    kept, dropped = ([old.get("kid") for old in part if old is not key] for part in (ring[:end], ring[end:]))
    return Rotation(file, key.get("kid"), step, kept, dropped)


def _rotated(old: list[Jwk], algorithm: Algorithm | None, step: Step) -> tuple[list[Jwk], Jwk]:
    """Return the new order, and the key that this is about."""
    if step is Step.PROMOTE:
        if len(old) <= 1:
            raise OperatorError("There is no second key to sign with.")
        return [old[1], old[0], *old[2:]], old[1]
    fresh = _fresh_key(algorithm or _algorithm_in_front(old))
    place = 1 if step is Step.STANDBY else 0
    return [*old[:place], fresh, *old[place:]], fresh


def public_keys(home: Path) -> dict[str, list[Jwk]]:
    """Give the JWK set of the public keys. Raise OperatorError when there are secrets, which have no public half."""
    environment = read_environment(home)
    file = _file(home, environment)
    with _problems_said(file):
        keys = _present_keys(file, environment)
    if not keys or any(key["kty"] == "oct" for key in keys):
        raise OperatorError(
            "There are secret keys in use, which have no public half: run `streamgate key rotate --algorithm EdDSA`, "
            "and drop the old ones with --keep once their tokens have expired."
        )
    return {"keys": [{name: value for name, value in key.items() if name != "d"} for key in keys]}


def _file(home: Path, environment: Mapping[str, str]) -> Path:
    named = environment.get(FILE)
    if named and not Path(named).is_absolute():
        raise OperatorError(f"{FILE} must be an absolute path.")
    return Path(named).resolve() if named else default_keys_file(home.absolute())


def _present_keys(file: Path, environment: Mapping[str, str]) -> list[Jwk]:
    """Read the keys in force: the file's, or the plain secret while there is no file. Raise KeysRefused, OSError."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        secret = environment.get(SECRET)
        if not secret:
            return []
        KeyRing.from_secret(secret)
        return [{"kty": "oct", "k": _base64url(secret.encode())}]
    parse_key_set(text)
    keys: list[Jwk] = parse_object(text)["keys"]
    return keys


def _algorithm_in_front(keys: list[Jwk]) -> Algorithm:
    return Algorithm.EdDSA if keys and keys[0]["kty"] == "OKP" else Algorithm.HS256


def _fresh_key(algorithm: Algorithm) -> Jwk:
    """Make a key whose kid tells when it was made; 64 random bits keep it unique (RFC 7517 section 4.5)."""
    about = {"kid": f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(8)}", "use": "sig", "alg": str(algorithm)}
    if algorithm is Algorithm.HS256:
        return {"kty": "oct", **about, "k": _base64url(secrets.token_bytes(_SECRET_BYTES))}
    private = Ed25519PrivateKey.generate()
    x, d = _base64url(private.public_key().public_bytes_raw()), _base64url(private.private_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", **about, "x": x, "d": d}


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _replace(file: Path, keys: list[Jwk]) -> None:
    """Write the set aside (mode 600) and rename it over the file. Whoever owned the file goes on owning it."""
    text = json.dumps({"keys": keys}, indent=2).encode() + b"\n"
    parse_key_set(text).for_signing()
    owner = (file if file.exists() else file.parent).stat()
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as aside:
        try:
            aside.write(text)
            aside.flush()
            _give(aside.fileno(), owner)
            os.fsync(aside.fileno())
            Path(aside.name).replace(file)
        except BaseException:
            Path(aside.name).unlink(missing_ok=True)
            raise


def _give(what: int | Path, owner: os.stat_result) -> None:
    """Let the services' user read what root has made for it."""
    with suppress(PermissionError):
        os.chown(what, owner.st_uid, owner.st_gid)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder: of two rotations at once the second one begins with what the first one wrote."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        _give(folder, folder.parent.stat())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _problems_said(file: Path) -> Iterator[None]:
    try:
        yield
    except KeysRefused as refusal:
        raise OperatorError(f"{file} was left alone: {str(refusal).rstrip('.')}.") from None
    except OSError as error:
        raise OperatorError(f"{error.filename or file} cannot be used: {(error.strerror or '').lower()}.") from None
