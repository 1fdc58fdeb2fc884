"""The console: pages for organisers. They are plain forms that work without JavaScript."""
