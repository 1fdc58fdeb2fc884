"""Running it: folders, nginx's configuration, the processes of `up`, the demo."""
