"""What is kept: the tables, how the databases are reached, and the migrations."""
