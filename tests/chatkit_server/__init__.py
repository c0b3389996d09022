import pytest

pytest.register_assert_rewrite("tests.chatkit_server.peers")
