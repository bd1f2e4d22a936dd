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
KEEP_ENTRY = "INSERT OR REPLACE INTO trace VALUES (?, ?, ?)"
# The first parameter and the second are the same id, the third is how many entries it keeps.
SHORTEN = """
DELETE FROM trace WHERE id = ? AND number <=
    (SELECT number FROM trace WHERE id = ? ORDER BY number DESC LIMIT 1 OFFSET ?)
"""
# How many entries are kept.
PRUNE = """
DELETE FROM trace WHERE number <=
    (SELECT number FROM trace ORDER BY number DESC LIMIT 1 OFFSET ?)
"""
# How many bytes of them are kept; if there are more, the older half goes.
HALVE = """
DELETE FROM trace WHERE (SELECT sum(length(entry)) FROM trace) > ? AND number <=
    (SELECT number FROM trace ORDER BY number LIMIT 1 OFFSET (SELECT count(*) / 2 FROM trace))
"""
