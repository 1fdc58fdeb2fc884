"""Viewing sessions: seats, heartbeats, take-overs, TVs, and who is really watching."""
