"""The doors: one module per resource, no logic."""
