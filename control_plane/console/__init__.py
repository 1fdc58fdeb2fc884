"""The console: pages for organisers. Plain forms; JavaScript only adds comfort."""
