"""Limits on guessing, in memory or shared through Redis."""
