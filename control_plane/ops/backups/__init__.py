"""Backups and restoring them, from one database to another, too."""
