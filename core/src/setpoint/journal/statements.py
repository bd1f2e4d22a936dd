"""The statements that write the journal; what each is for tells `Journal`."""

BEGIN_RUN = "INSERT OR REPLACE INTO run VALUES (1, ?, 0, '{}')"
END_RUN = "UPDATE run SET ended = ?"
INTEND = "INSERT OR REPLACE INTO intent VALUES (?, ?)"
RESOLVE = "DELETE FROM intent WHERE id = ?"
OWE = """
INSERT INTO debt VALUES (?, ?, ?, ?)
    ON CONFLICT (first, "then") DO UPDATE SET mark = max(mark, excluded.mark)
"""
CLEAR = 'DELETE FROM debt WHERE first = ? AND "then" = ? AND mark <= ?'
KEEP_SENT = "INSERT OR REPLACE INTO sent VALUES (?, ?)"
FORGET_OUTCOME = "DELETE FROM outcome WHERE id = ?"
FORGET = (
    RESOLVE,
    'DELETE FROM debt WHERE "then" = ?',
    "DELETE FROM sent WHERE id = ?",
    FORGET_OUTCOME,
)
