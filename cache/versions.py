"""Says which versions of the two databases this program knows, for readers that must load nothing more."""

from __future__ import annotations

STATE_FILE = "state.db"
STATE_VERSION = 2
STATE_APPLICATION = 0x51445354

LEDGER_FILE = "ledger.db"
LEDGER_VERSION = 3
LEDGER_APPLICATION = 0x51444C47
