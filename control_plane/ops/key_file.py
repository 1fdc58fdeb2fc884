"""The key file of a home: add a new key, drop old ones, and export the public half for edges that must not mint.

Viewers must not be interrupted: the file is replaced atomically by a rename, and a key is dropped only when the
operator says so. Key material is written to that file and nowhere else.
"""

import fcntl
import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authz_sidecar.contract.key_set import parse_key_set
from authz_sidecar.contract.key_source import FILE, SECRET
from authz_sidecar.contract.keys import KeyRing, KeysRefused
from authz_sidecar.contract.strict_json import parse_object
from authz_sidecar.contract.whole_files import replacing
from control_plane.clock import utc_now
from control_plane.errors import OperatorError, UsageError
from control_plane.ops.home import add_setting, keys_file, read_environment, settings_file

_SECRET_BYTES: Final = 48

Jwk = dict[str, Any]


class Algorithm(StrEnum):
    HS256 = "HS256"
    EdDSA = "EdDSA"


class Step(StrEnum):
    """How a key becomes the signing key: at once, or in two steps if edges on other hosts must receive it first."""

    AT_ONCE = "at-once"  # a new key becomes the first
    STANDBY = "standby"  # a new key is inserted as the second, for all edges to receive
    PROMOTE = "promote"  # the second key becomes the first


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of a rotation: `kid` is the new or promoted key, `kept` the others; None is the plain secret."""

    file: Path
    kid: str | None
    step: Step
    kept: list[str | None]
    dropped: list[str | None]


def rotate(
    home: Path, algorithm: Algorithm | None = None, keep: int | None = None, step: Step = Step.AT_ONCE
) -> Rotation:
    """Add or promote a key; `keep` is the number of older ones to keep (None for all).

    The algorithm defaults to that of the first key. Raise OperatorError, leaving everything unchanged.
    """
    if keep is not None and keep < 0:
        raise UsageError("--keep cannot be negative.")
    environment = read_environment(home)
    file = _file(home, environment)
    with _reporting_errors(file), _locked(file.parent):
        ring, key = _rotated(_current_keys(file, environment), algorithm, step)
        end = len(ring) if keep is None else keep + (2 if step is Step.STANDBY else 1)
        _replace(file, ring[:end])
        # Read again: another rotation may have set it. Without a settings file `up` looks at the default path.
        if settings_file(home).exists() and not read_environment(home).get(FILE):
            add_setting(home, FILE, str(file))
    kept, dropped = ([old.get("kid") for old in part if old is not key] for part in (ring[:end], ring[end:]))
    return Rotation(file, key.get("kid"), step, kept, dropped)


def _rotated(old: list[Jwk], algorithm: Algorithm | None, step: Step) -> tuple[list[Jwk], Jwk]:
    """Return the keys in their new order, and the new or promoted key."""
    if step is Step.PROMOTE:
        if len(old) <= 1:
            raise OperatorError("There is no second key to sign with.")
        return [old[1], old[0], *old[2:]], old[1]
    new_key = _new_key(algorithm or _algorithm_of_first(old))
    place = 1 if step is Step.STANDBY else 0
    return [*old[:place], new_key, *old[place:]], new_key


def public_keys(home: Path) -> dict[str, list[Jwk]]:
    """Return the JWK set of the public keys. Raise OperatorError if there are secret keys: they have no public half."""
    environment = read_environment(home)
    file = _file(home, environment)
    with _reporting_errors(file):
        keys = _current_keys(file, environment)
    if not keys or any(key["kty"] == "oct" for key in keys):
        raise OperatorError(
            "There are secret keys in use, which have no public half: run `streamgate key rotate --algorithm EdDSA`, "
            "and drop the old ones with --keep once their tokens have expired."
        )
    return {"keys": [{name: value for name, value in key.items() if name != "d"} for key in keys]}


def _file(home: Path, environment: Mapping[str, str]) -> Path:
    file = keys_file(home.absolute(), environment)
    if not file.is_absolute():
        raise OperatorError(f"{FILE} must be an absolute path.")
    return file.resolve() if environment.get(FILE) else file


def _current_keys(file: Path, environment: Mapping[str, str]) -> list[Jwk]:
    """Return the current keys: the file's, or the plain secret if there is no file. Raise KeysRefused, OSError."""
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


def _algorithm_of_first(keys: list[Jwk]) -> Algorithm:
    return Algorithm.EdDSA if keys and keys[0]["kty"] == "OKP" else Algorithm.HS256


def _new_key(algorithm: Algorithm) -> Jwk:
    """Create a key; its kid contains the date, and 64 random bits that make it unique (RFC 7517 section 4.5)."""
    common = {"kid": f"{utc_now():%Y%m%d}-{secrets.token_hex(8)}", "use": "sig", "alg": str(algorithm)}
    if algorithm is Algorithm.HS256:
        return {"kty": "oct", **common, "k": _base64url(secrets.token_bytes(_SECRET_BYTES))}
    private = Ed25519PrivateKey.generate()
    x, d = _base64url(private.public_key().public_bytes_raw()), _base64url(private.private_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", **common, "x": x, "d": d}


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _replace(file: Path, keys: list[Jwk]) -> None:
    """Write the set to a temporary file (mode 600) and rename it over the old one, keeping the owner."""
    text = json.dumps({"keys": keys}, indent=2).encode() + b"\n"
    parse_key_set(text).for_signing()
    owner = (file if file.exists() else file.parent).stat()
    with replacing(file) as writer:
        writer.write(text)
        _set_owner(writer.fileno(), owner)


def _set_owner(target: int | Path, owner: os.stat_result) -> None:
    """Set the owner, so that the service's user can read a file that root has created."""
    with suppress(PermissionError):
        os.chown(target, owner.st_uid, owner.st_gid)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder: of two concurrent rotations the second one starts from the result of the first."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        _set_owner(folder, folder.parent.stat())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _reporting_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except KeysRefused as refusal:
        raise OperatorError(f"{file} was not changed: {str(refusal).rstrip('.')}.") from None
    except OSError as error:
        raise OperatorError(f"{error.filename or file} cannot be used: {(error.strerror or '').lower()}.") from None
