"""The benchmark: Chatdock beside chatkit-python's own server, in the same run. `python -m bench --help`."""
