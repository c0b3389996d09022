"""What the product does: keys, sessions and their limits, threads, turns, widget actions, feedback."""
