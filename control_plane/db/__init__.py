"""The databases: connections, transactions, and the migrations of the schema."""
