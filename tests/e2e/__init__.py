"""A package, so that what its tests share ends with them: Playwright's event loop would disturb all later tests."""
