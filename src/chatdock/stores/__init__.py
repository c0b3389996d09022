"""chatkit-python's stores on Chatdock's database and files, for a `ChatKitServer` in an app of its own."""
