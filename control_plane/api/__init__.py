"""HTTP: thin functions that read a request, call one rule and shape the answer. They know no SQL."""
