"""Ids: a typed prefix, 48 bits of time in milliseconds, 96 random bits, in lower-case hex. They sort by time."""

from __future__ import annotations

import os
import time


def _new(prefix: str) -> str:
    return f"{prefix}{time.time_ns() // 1_000_000:012x}{os.urandom(12).hex()}"


def session_id() -> str:
    """`cksess_…`"""
    return _new("cksess_")


def thread_id() -> str:
    """`cthr_…`"""
    return _new("cthr_")


def item_id() -> str:
    """`cti_…`"""
    return _new("cti_")


def attachment_id() -> str:
    """`cfile_…`"""
    return _new("cfile_")


def run_id() -> str:
    """`crun_…`"""
    return _new("crun_")


def key_id() -> str:
    """`ckey_…`"""
    return _new("ckey_")


def request_id() -> str:
    """Names a request in its response and in the log."""
    return f"req_{os.urandom(16).hex()}"
