"""Looks for an expression that crashes or hangs, guided by what it covers: by atheris (libFuzzer).

    python3 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install -q atheris -e core
    /tmp/fuzz/bin/python tests/fuzz/expressions.py -max_total_time=600 -rss_limit_mb=600 /tmp/corpus

A folder that is given keeps what was found, so that the next run goes on from there; `--seed` fills it with the attacks
that are known and the expressions of the tests, and does nothing else. What ends a run is an exception other than
`ExpressionError`, an evaluation that takes longer than `LONGEST`, or more memory than the limit.
"""

import hashlib
import re
import sys
import time
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["setpoint.expressions"]):
    from setpoint.expressions import UNKNOWN, Expression, ExpressionError, State, Template
    from setpoint.expressions.received import check_sent
    from setpoint.expressions.received import evaluate as receive

from setpoint.clock import Clock
from setpoint.errors import Place, SetpointError
from setpoint.values import Received, Ref, Secret, Values

LONGEST = 1.0  # seconds of CPU, instrumented; an evaluation takes a tenth of that without
WORDS = (
    "vars.t vars.n vars.l vars.m vars.rows vars.none facts.silent secrets.s each.key facts.row.a true false null x 0 1"
    " -1 2.5 'a' '' r'(a+)+' f'{ } :>5} 99999 + - * / // % == != < >= in not and or is if else for [ ] ( ) { } , : . ="
    " len( min( max( sum( sorted( any( all( abs( int( float( str( bool( list( dict( range( zip( enumerate( default("
    " present( json( yaml( base64( sha256( basename( dirname( ip( match( replace( held( average( history( changed_at("
    " .upper() .split( .join( .replace( .get( .items() .strip() .find( .count( .index( .zfill( .center( .splitlines()"
    " vars.sent send['a'] send['a'].number .text .map .list .secret"
    " key= reverse= indent= start= lambda * ** := ~ @ ... __class__ await yield ${{ }} $${{"
).split()


class Row(Values):
    """One item of a fact."""

    a: int
    b: str | None = None


NAMES: dict[str, Any] = {
    "vars": {
        "t": "some text, " * 50,
        "n": 7,
        "l": list(range(200)),
        "m": {f"k{n}": n for n in range(50)},
        "rows": [{"a": n, "b": [str(n)]} for n in range(50)],
        "none": None,
    },
    "facts": {"silent": UNKNOWN, "row": Row(a=1), "rows": [Row(a=n) for n in range(50)]},
    "secrets": {"s": Secret("hunter22")},
    "each": {"key": "a", "value": 1},
}


SENT: dict[str, Any] = {
    "number": 7,
    "text": "some text, " * 50,
    "list": list(range(200)),
    "map": {f"k{n}": n for n in range(50)},
    "secret": Secret("hunter22"),
    "none": None,
}
RECEIVING = {**NAMES, "vars": {**NAMES["vars"], "sent": Ref("a", "number")}}


def written(data: bytes) -> str:
    """Return the text that `data` stands for: itself, or words of the language by their numbers."""
    if data[:1] != b"\0":
        return data.decode(errors="surrogateescape")
    return " ".join(WORDS[byte % len(WORDS)] for byte in data[1:])


def evaluate(data: bytes) -> None:
    """Evaluate what `data` stands for; anything but a value or an `ExpressionError` is a find."""
    text = written(data)
    begun = time.thread_time()
    for source in (text, "${{ " + text + " }}"):
        try:
            for part in Template(source).parts:
                if isinstance(part, Expression):
                    part.evaluate(NAMES, state=State(Clock()))
        except ExpressionError as error:
            refused = error
        else:
            continue
        assert "hunter22" not in str(refused) or "hunter22" in text
        assert 0 <= refused.start <= refused.end
    received(text)
    taken = time.thread_time() - begun
    assert taken < LONGEST, f"{taken} s for {text!r}"


def received(text: str) -> None:
    """Evaluate `text` once what is sent has come, if it needs that."""
    try:
        expression = Expression(text)
        check_sent(expression)
        value = receive(expression, RECEIVING, lambda: Place("fuzz", 1, 1))
        if isinstance(value, Received):
            assert value == receive(expression, RECEIVING, lambda: Place("other", 2, 2))
            value.resolve(lambda ref: SENT.get(ref.field))
    except SetpointError as error:
        refused = error
        assert "hunter22" not in str(refused) or "hunter22" in text


def seed(folder: Path) -> None:
    """Write the known attacks and the expressions of the tests into `folder`."""
    tests = Path(__file__).parents[2] / "core/tests/expressions"
    found = (tests / "attacks.txt").read_text().splitlines()
    found += re.findall(r'^    \("(.+?)", ', (tests / "test_language.py").read_text(), re.MULTILINE)
    folder.mkdir(parents=True, exist_ok=True)
    for text in found:
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        (folder / name).write_text(text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seed"]:
        seed(Path(sys.argv[2]))
        sys.exit()
    atheris.Setup(sys.argv, evaluate)
    atheris.Fuzz()
