"""Accounts and API keys: who may sign in to the console or use the API, and how."""
