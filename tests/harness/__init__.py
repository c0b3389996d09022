"""Real servers on real sockets and databases, and a client that reads what they send byte by byte."""
