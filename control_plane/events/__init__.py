"""Events: finding and listing them, their doors, and their posters."""
