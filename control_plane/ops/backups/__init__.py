"""Back up and restore a database, also from SQLite to PostgreSQL and back."""
