"""Revocations, and the feed that brings them to the edges."""
