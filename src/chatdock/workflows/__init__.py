"""What answers: the registry, the turn, and one adapter per kind."""
