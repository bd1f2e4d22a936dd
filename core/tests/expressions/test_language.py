"""What can be written, what it gives, and what is said about what cannot."""

import enum
from types import MappingProxyType
from typing import Any

import pytest

from setpoint.expressions import UNKNOWN, Expression, ExpressionError
from setpoint.values import Secret

GIVES = [
    # what is read
    ("facts.load.x1", 5.5),
    ("facts['load'][\"x1\"]", 5.5),
    ("facts.disks[0].name", "sda"),
    ("facts.disks[-1].label", "old"),
    ("each.value.name", "blog.example"),
    ("env.HOME", "/root"),
    ("hosts[1:]", ["web2"]),
    ("vars.name[0] + vars.name[-2:]", "web"),
    # literals, in Python's words and in YAML's
    ("[true, false, null, True, False, None]", [True, False, None, True, False, None]),
    ("{'a': 1, 'b': [2, 3.5]}", {"a": 1, "b": [2, 3.5]}),
    ("(1, 2)", (1, 2)),
    ("0x10 + 1_000", 1016),
    # operators
    ("1 + 2 * 3 - 4 / 2", 5.0),
    ("7 // 2 + 7 % 2", 4),
    ("-vars.port + +1", -8079),
    ("'a' + 'b' * 2", "abb"),
    ("[1] + [2] * 2", [1, 2, 2]),
    ("[1, 2] * -1", []),
    ("1 < 2 < 3", True),
    ("1 < 2 > 3", False),
    ("1 == '1'", False),
    ("vars.none is null and vars.ok is not false", True),
    ("'eb' in vars.name and 4 not in vars.list", True),
    ("'load' in facts.half", False),
    ("not vars.none", True),
    ("vars.none or 5", 5),
    ("0 and 1 / 0", 0),
    ("'many' if facts.cpu.count > 2 else 'few'", "many"),
    # comprehensions
    ("[d.name for d in facts.disks if d.used > 90]", ["sda"]),
    ("[d for d in facts.disks if d.label]", [{"name": "sdb", "used": 10, "label": "old"}]),
    ("{d.name: d.used for d in facts.disks}", {"sda": 95, "sdb": 10}),
    ("[(a, b) for a in 'xy' for b in range(2) if b]", [("x", 1), ("y", 1)]),
    ("[k + str(v) for k, v in {'a': 1}.items()]", ["a1"]),
    ("[[x for x in range(n)] for n in range(3)]", [[], [0], [0, 1]]),
    ("[x for x in [[1, 2], [3]] for x in x]", [1, 2, 3]),
    ("sum(d.used for d in facts.disks)", 105),
    ("[h for h in hosts]", ["web1", "web2"]),
    # text
    ("f'{vars.name}:{vars.port}'", "web:8080"),
    ("f'{vars.ok}{vars.none}{{}}'", "true{}"),
    ("f'{vars.port:>6}|{facts.load.x1:.2f}|{255:#x}|{vars.name:-<5}|{vars.port:,}'", "  8080|5.50|0xff|web--|8,080"),
    ("vars.name.upper().replace('W', 'v').split('E')", ["v", "B"]),
    ("', '.join([vars.name, 1, true])", "web, 1, true"),
    # over several lines
    ("[\n  1,\n  2,\n]", [1, 2]),
    ("vars.port >\n 1", True),
]  # fmt: skip
UNKNOWNS = [
    ("facts.silent", UNKNOWN),
    ("facts.silent.deeper[0]", UNKNOWN),
    ("facts.half", UNKNOWN),
    ("facts.half.known", 1),
    ("facts.silent + 1", UNKNOWN),
    ("[facts.silent]", UNKNOWN),
    ("len(facts.silent)", UNKNOWN),
    ("[x for x in facts.silent]", UNKNOWN),
    ("facts.silent == facts.silent", UNKNOWN),
    ("not facts.silent", UNKNOWN),
    ("1 if facts.silent else 2", UNKNOWN),
    ("facts.silent and false", False),
    ("false and facts.silent", False),
    ("facts.silent and true", UNKNOWN),
    ("facts.silent or true", True),
    ("facts.silent or false", UNKNOWN),
    ("facts.silent or 'text'", UNKNOWN),
    ("facts.silent > 3 and vars.port == 1", False),
    ("default(facts.silent, 7)", 7),
    ("default(facts.silent, facts.silent)", UNKNOWN),
    ("default(facts.silent > 3, false)", False),
    ("default(vars.nothing, 7)", 7),
    ("default(vars.nothing.deeper, 7)", 7),
    ("default(vars.none, 7)", 7),
    ("default(vars.none.deeper, 7)", 7),
    ("default(facts.disks[7].name, 'none')", "none"),
    ("default(max([]), 0)", 0),
    ("default(vars.port, 7)", 8080),
    ("present(facts.silent)", False),
    ("present(vars.nothing)", False),
    ("present(vars.none)", False),
    ("present(vars.port)", True),
    ("facts.half.get('silent', 1)", UNKNOWN),
]
WRONG = [
    # expression, what is at fault, what is said
    ("vars.prt", "prt", "there is no 'prt' in vars; did you mean 'port'?"),
    ("1 + vars.prt", "prt", "there is no 'prt' in vars; did you mean 'port'?"),
    ("facts.load.x9", "x9", "there is no 'x9' in facts.load; known: x1, x5"),
    ("[d.usde for d in facts.disks]", "usde", "there is no 'usde' in d; did you mean 'used'?"),
    ("facts.disks[7]", "7", "there is no item 7 in facts.disks; it has 2"),
    ("vars.port.x", "x", "vars.port is 8080, it has no 'x'"),
    ("fcts.load", "fcts", "there is no 'fcts'; did you mean 'facts'?"),
    ("[x for y in hosts]", "x", "there is no 'x'; write it in quotes if it is text, names are y, vars, inputs,"
     " facts, send, each, host, hosts, world, secrets, env"),
    ("vars.name == yes", "yes", "there is no 'yes'; write true"),
    ("len + 1", "len", "there is no 'len'; it is a function, write len(...)"),
    ("join(hosts)", "join", "there is no function 'join'; write \", \".join(...)"),
    ("upper('a')", "upper", "there is no function 'upper'; it is a method, write x.upper(...)"),
    ("'a'.len()", "len", "there is no method 'len'; it is a function, write len(x)"),
    ("hosts.append(1)", "append", "there is no method 'append'; write a + [b]"),
    ("hosts.join('a')", "join", "a list has no method 'join'; write \", \".join(...)"),
    ("1 if true", "1 if true", "this is no expression, near '1 if true'; write else and what it is otherwise"),
    ("true && false", "&", "this is no expression, near '& false'; write and"),
    ("true || false", "|", "this is no expression, near '| false'; write or"),
    ("!true", "!", "this is no expression, near '!true'; write not"),
    ("vars.port = 1", "=", "this is no expression, near '= 1'; write == to compare"),
    ("true ? 1 : 2", "?", "this is no expression, near '? 1 : 2'; write A if B else C"),
    ("1 + ${{ vars.port", "$", "this is no expression, near '${{ vars.port'; write what is in it alone, there is a"
     " ${{ }} around it"),
    ("vars.name | upper", "vars.name | upper", "this operator is not available in an expression; there are no"
     " filters, write f(x) or x.f()"),
    ("held(facts.silent, -5)", "-5", "a time is above 0 and up to 2678400 seconds, not -5"),
    ("len(hosts", "(", "'(' was never closed; close the bracket"),
    ("hosts[0)", ")", "closing parenthesis ')' does not match opening parenthesis '['; close each bracket by its own"
     " kind, the inner one first"),
    ("lenn(hosts)", "lenn", "there is no function 'lenn'; did you mean 'len'?"),
    ("vars.name.uper()", "uper", "there is no method 'uper'; did you mean 'upper'?"),
    ("vars.port.upper()", "upper", "8080 has no method 'upper'"),
    ("len()", "len()", "len takes 1 argument, not 0"),
    ("round(1, 2, 3)", "round(1, 2, 3)", "round takes 1 to 2 arguments, not 3"),
    ("sorted(hosts, revers=true)", "revers=true", "sorted has no argument called 'revers'; did you mean 'reverse'?"),
    ("'5' > 4", "'5' > 4", "'5' and 4 cannot be compared; make a number of the text by int(...) or float(...)"),
    ("'5' + 4", "'5' + 4", "'5' and 4 cannot be added; put a number into a text by f\"...{x}...\""),
    ("1 / 0", "1 / 0", "this divides by 0"),
    ("2 ** 8", "2 ** 8", "this operator is not available in an expression; write x * x"),
    ("int('x')", "int('x')", "'x' is no whole number"),
    ("f'{hosts}'", "f'{hosts}'", "a list is no part of a text; write json(...), or \", \".join(...) of its items"),
    ("vars.name is 'web'", "vars.name is 'web'", "only null, true and false are compared by `is`; write =="),
    ("lambda: 1", "lambda: 1", "lambda: 1 is not available in an expression"),
    ("{1, 2}", "{1, 2}", "{1, 2} is not available in an expression"),
    ("b'a'", "b'a'", "b'a' is not available in an expression"),
    ("().__class__", "().__class__", "there is no '__class__'; names with __ do not exist here"),
    ("[facts for facts in hosts]", "facts", "'facts' has a meaning already; choose another name"),
    ("[a for a, b in hosts]", "[a for a, b in hosts]",
     "'web1' does not have 2 items; a map gives keys; go through x.items()"),
    ("{hosts: 1}", "{hosts: 1}", "a key is a text or a number, not a list"),
    ("", "", "an expression is missing; write one, such as facts.load.x1 > 4"),
    ("1 +", "+", "the expression ends too early"),
    ("1 2", "2", "this is no expression, near '2'"),
    ("facts.class", "class", "a word of the language is no key; write facts[\"class\"]"),
    ("match('\\d', vars.name)", "'\\d'", "there is a backslash that is no escape; write r\"...\" around it"),
    ("'ä' + vars.prt", "prt", "there is no 'prt' in vars; did you mean 'port'?"),
    ("match(r'(?=x)', 'x')", "match(r'(?=x)', 'x')", "the pattern '(?=x)' is wrong: invalid perl operator: (?=;"
     " looking ahead, looking behind and references to groups do not exist here"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "value"), GIVES + UNKNOWNS)
def test_an_expression_gives_its_value(source: str, value: Any, names: dict[str, object]) -> None:
    found = Expression(source).evaluate(names)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("source", "fault", "message"), WRONG)
def test_a_wrong_expression_is_told_with_its_place_and_a_cure(
    source: str, fault: str, message: str, names: dict[str, object]
) -> None:
    with pytest.raises(ExpressionError) as error:
        Expression(source, at=100).evaluate(names)
    assert str(error.value) == message
    assert source[error.value.start - 100 : error.value.end - 100] == fault


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("facts.load.x1 > 4", [("facts", "load", "x1")]),
        ('send["password db"].password', [("send", "password db", "password")]),
        ("each.value.name + vars.x", [("each", "value", "name"), ("vars", "x")]),
        ("facts.disks[0].name", [("facts", "disks")]),
        ("facts.by[vars.x].name", [("facts", "by"), ("vars", "x")]),
        ("[d.name for d in facts.disks]", [("facts", "disks")]),
        ("vars.name.upper()", [("vars", "name")]),
        ("vars.map.get('x')", [("vars", "map")]),
        ("vars.list[1:]", [("vars", "list")]),
        ("default(world.a.b, f'{env.X}')", [("world", "a", "b"), ("env", "X")]),
        ("held(facts.a > 1, vars.s)", [("facts", "a"), ("vars", "s")]),
        ("facts.x + facts.x", [("facts", "x")]),
        ("hosts", [("hosts",)]),
        ("1 + 1", []),
    ],
)
def test_what_an_expression_reads_is_known_before(source: str, paths: list[Any]) -> None:
    assert list(Expression(source).paths) == paths


@pytest.mark.parametrize(
    "source",
    [
        "secrets.db",
        "'a' + secrets.db",
        "f'{secrets.db}'",
        "len(secrets.db)",
        "secrets.db == 'x'",
        "sha256(secrets.db)",
        "secrets.keys.a",
        "present(secrets.db)",
        "[secrets.db for h in hosts]",
        "json({'a': send['password db'].password})",
        "1 if secrets.db else 2",
        "'x' in secrets.keys",
    ],
)
def test_what_touches_a_secret_is_one(source: str, names: dict[str, object]) -> None:
    assert isinstance(Expression(source).evaluate(names), Secret)


@pytest.mark.parametrize(
    "source",
    [
        "int(secrets.db)",
        "secrets.db.field",
        "secrets.db + 1",
        "secrets.db < 1",
        "secrets.db.upper(1)",
        "secrets.keys[secrets.db]",
        "vars[secrets.db]",
        "secrets.keys.nothing",
        "secrets.db[99]",
        "float(secrets.db)",
        "ip(secrets.db)",
        "match(secrets.db + '(', 'a')",
        "'a'.index(secrets.db)",
        "range(secrets.db)",
        "sum([secrets.db])",
        "[1, 2].index(secrets.db)",
        "f'{secrets.db:05d}'",
        "{[secrets.db]: 1}",
        "-secrets.db",
        "secrets.number[1:]",
        "[x for x in secrets.number]",
        "secrets.number.x",
        "len(secrets.number)",
        "1 in secrets.number",
        "{secrets.number: 1}[2]",
        "secrets.number and secrets.number.upper()",
        "max([1, secrets.db])",
        "replace('a', secrets.db, 1)",
        "sorted([{'a': 1}], key=secrets.db)",
    ],
)
def test_no_error_shows_a_secret(source: str, names: dict[str, object]) -> None:
    with pytest.raises(ExpressionError) as error:
        Expression(source).evaluate(names)
    text = f"{error.value} {error.value!r} {error.value.__cause__!r}"
    assert not [word for word in ("hunter", "pw1234", "first one") if word in text]


def test_a_map_with_a_secret_in_it_is_handed_on_as_it_is() -> None:
    inner = {"user": "a", "password": Secret("hunter22")}
    assert Expression("vars.account").evaluate({"vars": {"account": inner}}) is inner


def test_a_name_that_has_no_value_here_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="there is no 'each' here"):
        Expression("each.key").evaluate({"vars": {}})


def test_an_expression_is_made_once() -> None:
    assert Expression("facts.a > 1")._program is Expression("facts.a > 1", at=7)._program


def test_an_evaluation_changes_nothing_outside(names: dict[str, object]) -> None:
    before = repr(names)
    for source, _ in GIVES:
        Expression(source).evaluate(names)
    assert repr(names) == before


class Level(enum.Enum):
    HIGH = "high"


class Written(str):
    """A text that knows where it was written."""


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Written("a"), "a"),
        (Level.HIGH, "high"),
        ({1}, [1]),
        (MappingProxyType({"a": Written("b")}), {"a": "b"}),
        ([(1, Written("a"))], [(1, "a")]),
    ],
)
def test_what_comes_from_outside_is_made_plain(value: object, plain: object) -> None:
    found = Expression("[vars.x][0]").evaluate({"vars": {"x": value}})
    assert (found, repr(found)) == (plain, repr(plain))


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(ExpressionError, match="a bytes cannot be used in an expression"):
        Expression("[vars.x]").evaluate({"vars": {"x": b"a"}})
