"""Webhooks: what is sent to which receiver, signed, and sent again until it has arrived."""
