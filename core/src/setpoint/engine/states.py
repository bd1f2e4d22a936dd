"""What a vertex can be in, and how it is run: small integers, because they live in bytearrays."""

CLEAN = 0  # settled: as declared when it was last looked at
DIRTY = 1  # wants to run: in the queue, in the heap, or waiting for what it requires
RUN = 2  # running
RERUN = 3  # running, and dirty again meanwhile
WAIT = 4  # wants to run later: retry delay, rate limit, semaphore, fight
FAILED = 5  # tried as often as its meta says
BLOCKED = 6  # dirty, but something that it requires failed, or a value does not exist
GONE = 7  # left the graph; the number is free for another one

NAMES = ("settled", "dirty", "running", "running", "waiting", "failed", "blocked", "gone")

QUICK = 0  # on the loop, in the drain: blocks for microseconds only
BATCH = 1  # plain verbs, many to a job, in worker threads
GENERAL = 2  # one coroutine that knows every verb, brake and value
