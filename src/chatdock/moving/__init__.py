"""Threads that come and go: from hosted ChatKit, into JSON Lines and out of them."""
