"""Digests of secrets: a database that is read must not give away what it only compares."""

from hashlib import sha256


def digest(secret: str) -> str:
    """Return the SHA-256 of a random secret in hex. Passwords, which can be guessed, need accounts/passwords.py."""
    return sha256(secret.encode()).hexdigest()
