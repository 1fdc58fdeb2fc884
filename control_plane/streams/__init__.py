"""Streams: where they come from, and whether one is there to watch."""
