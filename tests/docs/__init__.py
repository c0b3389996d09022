"""The documentation says what the code does: pages and code are compared."""
