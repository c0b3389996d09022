"""Traces of turns: what they consist of, where spans come from, how they are stored and exported."""
