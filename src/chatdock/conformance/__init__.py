"""What a chatkit-python `Store` has to keep to, as tests for any of them.

    from chatdock.conformance import StoreConformance

    class TestMyStore(StoreConformance):
        async def make_store(self):
            return MyStore()

pytest runs the class; nothing here imports it.
"""

import sys

if "pytest" in sys.modules:  # then failures show the two sides that differ
    sys.modules["pytest"].register_assert_rewrite("chatdock.conformance.store")

from chatdock.conformance.store import StoreConformance

__all__ = ["StoreConformance"]
