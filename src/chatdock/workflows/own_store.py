"""A hosted server's store as an instance of its author's class, with Chatdock's threads in it.

Methods that are `Store`'s lead to Chatdock; what the author added is the author's, and works on the author's object:
the instance has that one's state and none of its own. They share one `__dict__`, and slots are read and written where
the author's object has them.

The instance's class is made for it. Its method resolution order has a door to Chatdock in front of each class that
defines a method of `Store`: so `self.load_thread()` and `super().load_thread()` find Chatdock, also in a method that
the author added, and everything else is found where it was.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

from chatkit.store import Store

from chatdock.workflows.server_store import ServerStore
from chatdock.workflows.workflow import WorkflowError

STORE_METHODS = [
    name for name, member in vars(Store).items() if inspect.isfunction(member) and not name.startswith("_")
]
_MARK = "__chatdock_threads__"


def hosted_store(own: Any) -> Any:
    """What takes the place of a server's store, which may be None, or one that was put there before."""
    if isinstance(own, ServerStore) or hasattr(type(own), _MARK):
        return own
    return ServerStore(None) if own is None else with_threads_of(ServerStore(own), own)


def with_threads_of(threads: Store[Any], own: Any) -> Any:
    """An instance of the class of `own`, an author's store, that has its state and the threads of `threads`."""
    authors = type(own)
    methods = {name: getattr(threads, name) for name in STORE_METHODS}

    def door() -> type:
        return type("Door", (), {"__slots__": (), **methods})

    # An author's class may do things for each subclass: a door that stands first keeps that from this one.
    first = type("Door", (), {"__slots__": (), "__init_subclass__": classmethod(lambda _cls, **_: None), **methods})

    class Meta(type(authors)):  # type: ignore[misc]
        def mro(cls) -> list[type]:
            own_class, *bases = super().mro()
            order = [own_class, first, bases[0]]
            for base in bases[1:]:
                order += [door(), base] if any(name in vars(base) for name in STORE_METHODS) else [base]
            return order

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return authors(*args, **kwargs)  # what the author makes another of is the author's

        def __setattr__(cls, name: str, value: Any) -> None:
            if finished:
                setattr(authors, name, value)  # as a class method writes it
            else:
                super().__setattr__(name, value)

    namespace: dict[str, Any] = {
        "__slots__": (),
        "__module__": authors.__module__,
        "__qualname__": authors.__qualname__,
        "__doc__": authors.__doc__,
        "__copy__": lambda _self: with_threads_of(threads, copy.copy(own)),
        "__deepcopy__": lambda _self, memo: with_threads_of(threads, copy.deepcopy(own, memo)),
        "__reduce_ex__": lambda _self, _protocol: (_itself, (own,)),  # another process has no turn to show
        _MARK: True,
    }
    if hasattr(authors, "__del__"):
        namespace["__del__"] = lambda _self: None  # which the author's object does for itself
    finished = False
    try:
        made = Meta(authors.__name__, (authors,), namespace)
        for name, slot in _slots(authors).items():
            type.__setattr__(made, name, _Slot(slot, own))
        store: Any = object.__new__(made)
        finished = True
    except TypeError as error:
        raise WorkflowError(
            f"{authors.__name__} cannot be given Chatdock's threads ({error}): a store is a class of its own, which "
            "keeps what it needs in attributes"
        ) from error
    if hasattr(own, "__dict__"):
        object.__setattr__(store, "__dict__", own.__dict__)
    return store


def _itself(own: Any) -> Any:
    return own


def _slots(authors: type) -> dict[str, Any]:
    """The slots of a class, by name."""
    named = {
        name for base in authors.__mro__ for name, member in vars(base).items() if inspect.ismemberdescriptor(member)
    }
    found = {name: inspect.getattr_static(authors, name) for name in named}
    return {name: slot for name, slot in found.items() if inspect.ismemberdescriptor(slot)}


class _Slot:
    """A slot of the author's object."""

    def __init__(self, slot: Any, own: Any) -> None:
        self._slot = slot
        self._own = own

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else self._slot.__get__(self._own, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        self._slot.__set__(self._own, value)

    def __delete__(self, instance: Any) -> None:
        self._slot.__delete__(self._own)
