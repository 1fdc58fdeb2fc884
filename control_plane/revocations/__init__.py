"""Revocations, and the feed that sends them to the edges."""
