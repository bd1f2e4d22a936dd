"""The model of an engine: what must follow from what happens, and nothing of how it comes about."""

from typing import Any

from .random_graphs import Plan
from .random_world import Done

BAD = ("failed", "blocked")
SILENT = ("mute", "dumb")  # kinds without a refresh


class Model:
    """What must follow, from the architecture's 4.2 to 4.6 and nothing else."""

    def __init__(self) -> None:
        self.last: dict[str, Done] = {}
        self.sent: dict[str, Any] = {}
        self.owed: dict[str, dict[str, int]] = {}  # listener to notifiers, and when they changed
        self.halfway: dict[str, tuple[int, dict[str, str]]] = {}
        self.refreshed: dict[str, int] = {}
        self.unsure: set[str] = set()  # whose sent value depends on how threads were scheduled
        self.caused: set[str] = set()  # who may refresh

    def forget(self, gone: set[str]) -> None:
        for known in (self.last, self.sent, self.owed, self.halfway, self.refreshed):
            for n in gone:
                known.pop(n, None)

    def owe(self, s: str, n: str, when: int) -> None:
        if when > self.refreshed.get(s, -1):
            self.owed.setdefault(s, {})[n] = when

    def cause(self, plan: Plan, n: str) -> None:
        for s in plan.listeners(n):
            self.caused.add(s)
            if s.startswith(SILENT):
                self.cause(plan, s)

    def has_cause(self, plan: Plan, s: str) -> bool:
        """Whether `s` may refresh; a silent one may have passed something on only now."""
        passed = {m for m in self.caused if m.startswith(SILENT) and s in plan.listeners(m)}
        return s in self.caused or bool(passed)

    def judge_refreshes(
        self, plan: Plan, log: list[Done], states: dict[str, str], strict: bool
    ) -> None:
        for n in self.halfway:
            self.cause(plan, n)
        for done in log:
            self.last[done.id] = done
            if done.verb == "apply":
                self.cause(plan, done.id)
                self.halfway.pop(done.id, None)
                if not done.ok:
                    self.halfway[done.id] = done.ended, plan.listeners(done.id)
                    continue
                for s in plan.listeners(done.id):
                    self.owe(s, done.id, done.ended)
            elif done.verb == "refresh":
                reason = not strict or self.has_cause(plan, done.id)
                assert reason, f"{done.id} was refreshed without reason"
                if done.ok:
                    self.pay(plan, done)
        self.settle_halfway(plan, states)
        for m in (m for m in plan.order if m.startswith(SILENT) and states[m] == "settled"):
            self.caused.discard(m)
            if m in self.owed:
                when = self.refreshed[m] = max(self.owed.pop(m).values())
                for s in plan.listeners(m):
                    self.owe(s, m, when)
        lost = {s: by for s, by in self.owed.items() if by and states.get(s) == "settled"}
        assert not lost, f"lost refreshes: {lost}"

    def pay(self, plan: Plan, done: Done) -> None:
        self.refreshed[done.id] = done.began
        left = {n: t for n, t in self.owed.pop(done.id, {}).items() if t > done.began}
        if left:
            self.owed[done.id] = left
        else:
            self.caused.discard(done.id)
        self.cause(plan, done.id)
        for s in plan.listeners(done.id):
            self.owe(s, done.id, done.ended)

    def settle_halfway(self, plan: Plan, states: dict[str, str]) -> None:
        for n, (when, policies) in list(self.halfway.items()):
            now = plan.listeners(n)
            for s, policy in policies.items():
                if now.get(s) != policy or policy == "drop":
                    continue
                if policy == "fire" or states[n] == "settled":
                    self.owe(s, n, when)
            if states[n] == "settled":
                del self.halfway[n]

    def judge_cells(
        self, plan: Plan, states: dict[str, str], cells: dict[str, Any], strict: bool
    ) -> None:
        for s in plan.order:
            if states[s] != "settled":
                if not strict:
                    self.unsure.add(s)
                continue
            sender = plan.sender(s)
            if sender and sender[0] in self.unsure:
                self.unsure.add(s)
                continue
            self.unsure.discard(s)
            wanted = plan.values[s]
            if sender:
                wanted = self.sent[sender[0]]
                wanted = f"<{'' if wanted is None else wanted}>" if sender[1] == "text" else wanted
            assert cells.get(s) == wanted, f"{s} holds {cells.get(s)!r}, not {wanted!r}"
            self.sent[s] = wanted

    def judge_states(self, plan: Plan, states: dict[str, str]) -> None:
        assert set(states) == set(plan.order)
        for s, state in states.items():
            last = self.last.get(s)
            if state == "settled":
                assert last is not None, f"{s} is settled, but never ran"
                assert last.ok, f"{s} is settled, but {last}"
            elif state == "failed":
                assert last is not None, f"{s} failed, but never ran"
                assert not last.ok, f"{s} failed, but {last}"
            else:
                firm = [p for p in plan.required(s) if plan.edges[p, s] != "fire"]
                bad = [p for p in firm if states[p] in BAD]
                assert state == "blocked", f"{s} is {state}"
                assert bad, f"{s} is blocked by nobody"

    def judge_order(self, plan: Plan, log: list[Done], states: dict[str, str]) -> None:
        first: dict[str, int] = {}
        for done in log:
            first[done.id] = min(done.began, first.get(done.id, done.began))
        last = {done.id: done.ended for done in log}
        for s in first:
            for p in plan.above(s) & last.keys():
                assert last[p] < first[s], f"{s} ran before {p} was settled"
            for p in plan.required(s):
                assert plan.edges[p, s] == "fire" or states[p] not in BAD, (
                    f"{s} ran, but {p} is bad"
                )

    def judge_work(
        self, plan: Plan, log: list[Done], roots: set[str], before: dict[str, str]
    ) -> None:
        """Assert that nothing was looked at without a reason."""
        reason = set(roots)
        for s in plan.order:
            for p in set(plan.required(s)) & reason:
                if plan.policy(p, s) or plan.sender(s) or before.get(s) == "blocked":
                    reason.add(s)
        assert {done.id for done in log} <= reason, "looked at without a reason"
