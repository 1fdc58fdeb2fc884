"""Streams: where they come from, and whether they can be watched."""
