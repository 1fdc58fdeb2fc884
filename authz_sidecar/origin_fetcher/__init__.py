"""Fetches from origins what nginx does not have: within bounds, and so that nothing but media comes back."""
