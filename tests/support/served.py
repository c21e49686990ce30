"""`argus serve` in a process of its own, which a test may stop, let go on, and kill."""

from argus.server.served import Served

__all__ = ["Served"]
