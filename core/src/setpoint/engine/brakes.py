"""What makes a vertex wait although it could run: rate limits, semaphores, and fights."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setpoint.resource import Meta

FIGHT_REPAIRS = 5  # so many repairs of one resource ...
FIGHT_SECONDS = 10.0  # ... within this time are a fight
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds
MOST_GONE = 10_000  # resources that left, of which it is known how often they ran


class TokenBucket:
    """Lets `burst` runs through at once and `limit` a second over time."""

    __slots__ = ("_at", "_tokens", "burst", "limit")

    def __init__(self, limit: float, burst: int) -> None:
        self.limit, self.burst = limit, burst
        self._tokens, self._at = float(burst), 0.0

    def take(self, now: float) -> float:
        """Take a token and return 0, or return how many seconds until there is one."""
        if self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.limit)
        self._at = now
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.limit

    @property
    def full_at(self) -> float:
        """When it is as if none had been taken."""
        return self._at + (self.burst - self._tokens) / self.limit


class Limits:
    """The token buckets of resources by id, those of resources that left too: they may come again.

    One that left is known until its bucket would be full again, but not if 10,000 others have left since.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}
        self._gone: dict[str, TokenBucket] = {}  # the first to leave first

    def take(self, key: str, meta: "Meta", now: float) -> float:
        """Return for how many seconds the resource `key` is to wait; 0 if it may run, which counts."""
        bucket = self._buckets.get(key) or self._gone.pop(key, None)
        if bucket is None or (bucket.limit, bucket.burst) != (meta.limit, meta.burst):
            bucket = TokenBucket(meta.limit, meta.burst)
        self._buckets[key] = bucket
        return bucket.take(now)

    def leave(self, key: str, now: float) -> None:
        """Note that the resource `key` left the graph."""
        if key in self._buckets:
            self._gone[key] = self._buckets.pop(key)
        while self._gone:
            first = next(iter(self._gone))
            if self._gone[first].full_at > now and len(self._gone) <= MOST_GONE:
                break
            del self._gone[first]


class Semaphores:
    """Named counters of who may run at once. "name" lets one run, "name:4" four.

    A vertex gets all of its semaphores or none, in sorted order, so that no two wait for each other.
    """

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._queue: dict[str, dict[int, None]] = {}  # in the order they came

    def take(self, v: int, names: Iterable[str]) -> bool:
        """Take all of `names` for `v`; False if one is used up: `v` then stands in its queue.

        A vertex that was told to try and did not take is followed by a call of `next` for its names.
        """
        wanted = sorted(set(names))
        for name in wanted:
            if self._held.get(name, 0) >= size(name):
                self._queue.setdefault(name, {})[v] = None
                return False
        self.forget(v, wanted)
        for name in wanted:
            self._held[name] = self._held.get(name, 0) + 1
        return True

    def give(self, names: Iterable[str]) -> list[int]:
        """Give `names` back; return the vertices that are to try again."""
        freed = set(names)
        for name in freed:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]
        return self.next(freed)

    def next(self, names: Iterable[str]) -> list[int]:
        """Return, and take out of their queues, the vertices that are to try again for `names`."""
        woken = []
        for name in set(names):
            queue = self._queue.get(name)
            if queue and self._held.get(name, 0) < size(name):
                woken.append(next(iter(queue)))
                self.forget(woken[-1], [name])
        return woken

    def waiting(self, names: Iterable[str]) -> list[int]:
        """Return the vertices that stand in the queues of `names`."""
        return [v for name in sorted(set(names)) for v in self._queue.get(name, ())]

    def forget(self, v: int, names: Iterable[str]) -> None:
        """Take `v` out of the queues of `names`."""
        for name in names:
            queue = self._queue.get(name, {})
            if v in queue:
                del queue[v]
                if not queue:
                    del self._queue[name]


def size(name: str) -> int:
    """Return how many the semaphore `name` lets run at once: the number after its colon, or 1."""
    return int(name.rpartition(":")[2]) if ":" in name else 1


class Fights:
    """Notices a resource that is repaired again and again because something else changes it back."""

    def __init__(self) -> None:
        self._repairs: dict[int, tuple[float, ...]] = {}  # when; the latest only
        self._pause: dict[int, float] = {}
        self._until: dict[int, float] = {}

    def repaired(self, v: int, now: float) -> float:
        """Note a repair of `v`. Return for how many seconds to leave it alone; 0 is no fight."""
        times = self._repairs.get(v, ())
        if times and now - times[-1] > 2 * LONGEST_PAUSE:
            self.forget(v)
            times = ()
        times = self._repairs[v] = (*times[1 - FIGHT_REPAIRS :], now)
        paused = v in self._pause
        if not paused and (len(times) < FIGHT_REPAIRS or now - times[0] > FIGHT_SECONDS):
            return 0.0
        pause = min(self._pause.get(v, FIRST_PAUSE / 2) * 2, LONGEST_PAUSE)
        self._pause[v] = pause
        self._until[v] = now + pause
        return pause

    def wait(self, v: int, now: float) -> float:
        """Return for how many more seconds `v` is to be left alone; 0 if it may run."""
        return max(0.0, self._until.get(v, 0.0) - now)

    @property
    def fighting(self) -> Mapping[int, float]:
        """The vertices that are fought over, and for how many seconds each is left alone."""
        return self._pause

    def forget(self, v: int) -> None:
        """Forget what is known of `v`."""
        for known in (self._repairs, self._pause, self._until):
            known.pop(v, None)
