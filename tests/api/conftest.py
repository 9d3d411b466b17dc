"""Fixtures of this room."""

from tests.ledger_fixtures import recording

__all__ = ["recording"]
