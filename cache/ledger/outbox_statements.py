"""The statements of the outbox, so that a ledger can be checked against all of them before it is trusted."""

from __future__ import annotations

_WORDS = "id, channel, thread, recipient, subject, user, digest, body, created_us, expires_us"

PUT = f"INSERT INTO outbox ({_WORDS}, state, next_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?)"  # noqa: S608
IS_KNOWN = "SELECT 1 FROM outbox WHERE id = ?"
SAME = "SELECT seq, id FROM outbox WHERE digest = ? AND created_us > ? AND state <> 'dead' ORDER BY seq DESC LIMIT 1"
FOLD = "UPDATE outbox SET folded = folded + 1 WHERE seq = ?"

CLAIM = """
UPDATE outbox SET attempts = attempts + 1, doubts = doubts + (state = 'sending'), state = 'sending', next_us = ?,
  lease = ?
WHERE seq IN (
  SELECT seq FROM outbox AS one
  WHERE (next_us <= ? OR next_us > ?) AND channel IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
    SELECT 1 FROM outbox AS former WHERE former.next_us IS NOT NULL
      AND former.channel = one.channel AND former.thread = one.thread AND former.seq < one.seq
  ) ORDER BY seq LIMIT ?
)
RETURNING seq, id, body, lease, attempts, doubts, expires_us
"""
"""The first of each thread that waits, and no other: order is kept because nobody can have the second one."""

EXPIRE = """
UPDATE outbox SET settled_us = ?, next_us = NULL,
  state = CASE WHEN doubts > 0 OR state = 'sending' THEN 'unknown' ELSE 'dead' END,
  reason = 'given up: too old' || CASE WHEN reason = '' THEN '' ELSE '; before: ' || reason END
WHERE next_us <= ? AND expires_us <= ?
RETURNING id
"""
SETTLE = """
UPDATE outbox SET state = ?, next_us = ?, settled_us = ?, reason = ?, doubts = ?, lease = ''
WHERE id = ? AND lease = ? AND state = 'sending'
"""
RELEASE = """
UPDATE outbox SET state = 'queued', next_us = ?, attempts = attempts - 1, lease = ''
WHERE id = ? AND lease = ? AND state = 'sending'
"""
TAKE_OVER = "UPDATE outbox SET next_us = ? WHERE state = 'sending' AND lease GLOB ? AND channel = ?"
SETTLED_AS = """
SELECT thread, channel, recipient, user, state, reason, settled_us, body FROM outbox
WHERE id = ? AND settled_us IS NOT NULL
"""
SAYS = "SELECT body FROM outbox WHERE id = ?"
LOOK_AT = "SELECT seq, state, next_us, reason FROM outbox WHERE id = ?"
RETRY = """
UPDATE outbox SET state = 'queued', next_us = ?, expires_us = ?, settled_us = NULL, reason = '', attempts = 0,
  doubts = 0
WHERE seq = ?
"""
DROP = "UPDATE outbox SET state = 'dead', next_us = NULL, settled_us = ?, reason = ?, lease = '' WHERE seq = ?"
FORGET = "DELETE FROM outbox WHERE settled_us < ? AND next_us IS NULL"

_SHOWN = (
    "id, seq, channel, recipient, subject, thread, state, reason, attempts, folded, "
    "created_us, next_us, settled_us, user"
)
LIST = f"""
SELECT {_SHOWN} FROM outbox WHERE next_us IS NOT NULL
UNION ALL SELECT * FROM (SELECT {_SHOWN} FROM outbox WHERE next_us IS NULL ORDER BY seq DESC LIMIT ?)
"""  # noqa: S608

OUTBOX_STATEMENTS = (
    *(PUT, IS_KNOWN, SAME, FOLD, CLAIM, EXPIRE, SETTLE, RELEASE, TAKE_OVER),
    *(SETTLED_AS, SAYS, LOOK_AT, RETRY, DROP, FORGET, LIST),
)
OUTBOX_TRIGGERS = frozenset({"outbox_keeps_words", "outbox_keeps_waiting"})
