"""A run's life: what it answers, its event log, its lease, and the engine that executes it."""
