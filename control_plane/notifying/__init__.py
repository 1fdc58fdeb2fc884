"""Webhooks: what is told to whom, signed, and told again until it was heard."""
