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
# How many bytes of entries are kept, then how many entries.
PRUNE = """
DELETE FROM trace WHERE number <= (
    SELECT max(number) FROM (
        SELECT number, row_number() OVER newest AS place, sum(length(entry)) OVER newest AS size
        FROM trace WINDOW newest AS (ORDER BY number DESC)
    ) WHERE size > ? OR place > ?
)
"""
