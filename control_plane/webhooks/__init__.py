"""Webhooks: signed messages to receivers, sent again until they have arrived."""
