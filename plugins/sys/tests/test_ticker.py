"""Facts that look now and then share one timer for each interval."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint.host import Host
from setpoint.testing.clocks import HandClock, VirtualClock
from setpoint_sys.load import Load
from setpoint_sys.memory import Memory
from setpoint_sys.ticker import Ticker

INTERVALS = st.sampled_from([0.1, 0.5, 1.0, 5.0, 60.0, 86_400.0]) | st.floats(0.1, 86_400)


def timers() -> int:
    """How many timers the loop has that were not cancelled."""
    return sum(not timer.cancelled() for timer in asyncio.get_running_loop()._scheduled)


@settings(max_examples=60, deadline=None)
@given(st.lists(INTERVALS, max_size=30), st.randoms(use_true_random=False))
def test_there_are_as_many_timers_as_intervals_and_none_afterwards(intervals, random):
    async def scenario() -> None:
        ticker = Ticker(Host(clock=HandClock()))
        open_ = []
        for seconds in intervals:
            subscription = ticker.every(seconds)
            subscription.start(lambda: None)
            open_.append((seconds, subscription))
            assert ticker.timers == timers() == len({seconds for seconds, _ in open_})
        random.shuffle(open_)
        while open_:
            open_.pop()[1].stop()
            assert ticker.timers == timers() == len({seconds for seconds, _ in open_})

    asyncio.run(scenario())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0.5, 1.0, 3.0, 10.0]), min_size=1, max_size=12))
def test_each_hears_every_tick_of_its_own_interval(intervals):
    async def scenario() -> None:
        clock = VirtualClock()
        clock.monotonic()  # from here on time is virtual
        ticker, heard = Ticker(Host(clock=clock)), [0] * len(intervals)

        def count(index: int) -> None:
            heard[index] += 1

        subscriptions = [ticker.every(seconds) for seconds in intervals]
        for index, subscription in enumerate(subscriptions):
            subscription.start(lambda index=index: count(index))
        await asyncio.sleep(30.25)
        for subscription in subscriptions:
            subscription.stop()
        for seconds, number in zip(intervals, heard, strict=True):
            assert int(30.25 // seconds) - 1 <= number <= 30.25 // seconds + 2
        same = {seconds: set() for seconds in intervals}
        for seconds, number in zip(intervals, heard, strict=True):
            same[seconds].add(number)
        assert all(len(numbers) == 1 for numbers in same.values())
        clock.let_go()

    asyncio.run(scenario())


async def test_ticks_that_were_missed_are_one():
    clock = HandClock()
    ticker, heard = Ticker(Host(clock=clock)), []
    subscription = ticker.every(0.1)
    subscription.start(lambda: heard.append(clock.now))
    clock.now = 1000.0
    await asyncio.sleep(0.15)
    assert heard == [1000.0]
    subscription.stop()


async def test_many_facts_of_one_interval_cost_one_timer_and_closing_leaves_none(virtual_host):
    facts = [Load(every=7, _host=virtual_host) for _ in range(20)]
    facts += [Memory(every=7, _host=virtual_host) for _ in range(20)]
    streams = [fact.watch() for fact in facts]
    for stream in streams:
        await anext(stream)
    ticker = virtual_host.shared(Ticker)
    assert ticker.timers == 1
    for stream in streams:
        await stream.aclose()
    assert ticker.timers == 0


async def test_one_who_is_told_may_stop_the_others():
    ticker, heard = Ticker(Host()), []
    first, second = ticker.every(0.1), ticker.every(0.1)

    def stop_both() -> None:
        heard.append("first")
        first.stop(), second.stop()

    first.start(stop_both)
    second.start(lambda: heard.append("second"))
    await asyncio.sleep(0.3)
    assert heard == ["first"]
    assert ticker.timers == 0


async def test_closing_the_host_stops_the_timers(tmp_path):
    host = Host(state=tmp_path)
    stream = Load(_host=host).watch()
    await anext(stream)
    ticker = host.shared(Ticker)
    host.close()
    assert ticker.timers == timers() == 0
    await stream.aclose()
