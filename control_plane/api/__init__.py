"""HTTP endpoints: thin functions that read a request, call one rule and build the response. They contain no SQL."""
