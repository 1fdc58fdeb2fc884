"""Who did what: whatever changes something comes through here and is remembered."""
