"""Formatting: what it changes, that it changes nothing else, and that once is enough."""

import random
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint.declarations import Source, plain
from setpoint.errors import GraphError, SetpointError
from setpoint.graphfile import formatting, reader
from setpoint.graphfile.formatting import formatted

ROOT = Path(__file__).parents[3]
CORPUS = Path(__file__).parents[1] / "corpus"


def content(text: str) -> str:
    return repr(plain(reader.load(Source("x.yaml", text))))


RULES = {
    "two spaces a level": (
        """\
        resources:
            file /etc/motd:
                  meta:
                     retry: 3
            noop a:
        """,
        """\
        resources:
          file /etc/motd:
            meta:
              retry: 3
          noop a:
        """,
    ),
    "a list is indented below its key": (
        """\
        edges:
        - noop a -> noop b
        # behind it
        -   noop b
            -> noop c
        vars:
          l:
          - - 1
            - 2
          -
            k: 1
        """,
        """\
        edges:
          - noop a -> noop b
          # behind it
          - noop b
            -> noop c
        vars:
          l:
            - - 1
              - 2
            -
              k: 1
        """,
    ),
    "one space between things": (
        """\
        vars:   {a:   1,b : [ x,y ],"c":{ },d: []  ,  e: [ ] }
        graph:    web
        """,
        """\
        vars: { a: 1, b: [x, y], "c": {}, d: [], e: [] }
        graph: web
        """,
    ),
    "double quotes where they mean the same": (
        r"""
        vars:
          - 'a'
          - 'say "a"'
          - 'a\b'
          - 'it''s'
          - "x"
          - plain
          - '0644'
        """,
        r"""
        vars:
          - "a"
          - 'say "a"'
          - 'a\b'
          - 'it''s'
          - "x"
          - plain
          - "0644"
        """,
    ),
    "at most one blank line, none at the ends": (
        "\n\n# first\n\n\n\na: 1\n\n\nb: 2\n \n\n",
        "# first\n\na: 1\n\nb: 2\n",
    ),
    "comments behind something keep their column, or get two spaces": (
        """\
        a: 1 # one
        bb:   2       # two
        ccc: 3        # three
        """,
        """\
        a: 1  # one
        bb: 2         # two
        ccc: 3        # three
        """,
    ),
    "comments belong to the block in which they stand": (
        """\
        # top
        a:
            # of b
            b:
                c: 1
                # behind c
            # behind b
        # of d
        d: 2
        # end""",
        """\
        # top
        a:
          # of b
          b:
            c: 1
            # behind c
          # behind b
        # of d
        d: 2
        # end
        """,
    ),
    "a text of lines moves as a whole": (
        """\
        a:
            b: |
                    one
                      two

                    three
            c: >-   # folded | so > to say
             one

             two


            d: |3+
                 one
                two

        """,
        """\
        a:
          b: |
            one
              two

            three
          c: >-   # folded | so > to say
            one

            two

          d: |2+
              one
             two

        """,
    ),
    "text that goes on moves with its first line": (
        """\
        a:
            b: one
               two

               three
            c: "one \\
                two
              three"
        """,
        """\
        a:
          b: one
             two

             three
          c: "one \\
              two
            three"
        """,
    ),
    "what is in brackets over several lines keeps its shape": (
        """\
        a:
            b: [one,      # 1
                two,

                # of three
                {three: 3,
                 four: 4},
            ]
        """,
        """\
        a:
          b: [one,        # 1
              two,

              # of three
              { three: 3,
               four: 4 },
            ]
        """,
    ),
    "a text of lines that ends without a line break stays without": ("a: |+\n    b", "a: |-\n  b\n"),
    "line breaks are those of Unix": ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", "a: 1\nb: |\n  x\n  y\n"),
    "anchors and aliases stay": (
        "a: &x   k\nb:  *x\nc:   &y\n    d: 1\n*x : {*x : &z [*x]}\n",
        "a: &x k\nb: *x\nc: &y\n  d: 1\n*x : { *x : &z [*x] }\n",
    ),
    "a document may be marked": ("---   # here\na:   1\n...\n", "---   # here\na: 1\n...\n"),
    "nothing stays nothing": ("", ""),
    "a comment alone stays": ("  # only", "# only\n"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), RULES.values(), ids=RULES)
def test_a_rule(old, new):
    old, new = textwrap.dedent(old).removeprefix("\n" * (old[:2] == "\n ")), textwrap.dedent(new)
    new = new.lstrip("\n")
    assert formatted(old, "x.yaml") == new
    assert formatted(new, "x.yaml") == new


def test_the_guide_shows_what_is_done():
    guide = (ROOT / "docs/how-to/edit-in-an-editor.md").read_text()
    old, new = re.findall(r"^```yaml (?:un)?formatted\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert formatted(old, "x.yaml") == new


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.name)
def test_an_example_is_formatted(path):
    assert formatted(path.read_text(), path.name) == path.read_text()


def test_whatever_is_yaml_in_the_corpus_keeps_what_it_says_and_its_comments():
    seen = 0
    for path in sorted(CORPUS.glob("*/*.yaml")):
        try:
            text = path.read_text()
            before = content(text)
        except (GraphError, UnicodeDecodeError):
            continue
        after = formatted(text, path.name)
        assert content(after) == before, path
        assert formatted(after, path.name) == after, path
        seen += 1
    assert seen > 60


@pytest.mark.parametrize(
    "scalar",
    "0644 0o644 yes on no off true null ~ 1.0 1e3 .inf 2026-11-22 1_000 0x1F 'yes' \"no\"".split(),
)
def test_what_looks_like_something_else_stays_what_it_is(scalar):
    text = formatted(f"a:   {scalar}\n{scalar} :  1\n", "x.yaml")
    assert text == f"a: {scalar}\n{scalar}: 1\n".replace("'", '"')


def test_what_is_no_yaml_is_answered_as_ever():
    with pytest.raises(GraphError, match=r"site.yaml:2:1: the key 'a' is there already"):
        formatted("a: 1\na: 2\n", "site.yaml")


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_what_ends_a_line_for_some_programs_only_is_refused(character):
    with pytest.raises(
        GraphError, match=r"site.yaml:1:9: cannot be formatted with .*; write it as"
    ):
        formatted(f"a: 1 # b{character}c: 2\n", "site.yaml")


def test_a_formatter_that_changes_what_is_said_is_refused(monkeypatch):
    class Wrong(formatting.Layout):
        def formatted(self) -> str:
            return super().formatted().replace("0644", "644")

    monkeypatch.setattr(formatting, "Layout", Wrong)
    assert formatted("mode: 644\n", "site.yaml") == "mode: 644\n"
    with pytest.raises(SetpointError, match=r"site.yaml: formatting would change what it says"):
        formatted("mode: 0644\n", "site.yaml")


# -- any text at all

TRICKY = 'a;b c;0644;yes;on;null;~;it\'s;say "x";x: y;x # y;# x;- x;{x};[x];*x;&x;!x;|;%x;@x;`x; x '
TRICKY += ";\t;1.0;-1;:x;x:;?;-;,;;one\ntwo\n;one\n\n  two\n\n\n; lead\nx;tail  \n x\t\n;\n\nx"
SCALARS = st.sampled_from(TRICKY.split(";"))
TREES = st.recursive(
    SCALARS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4),
    max_leaves=20,
)


class Scribe:
    """Writes values as YAML, in as many ways as there are, and comments between them."""

    def __init__(self, seed: int) -> None:
        self.chance, self.comments = random.Random(seed), 0

    def document(self, tree: dict[str, Any]) -> str:
        return self.between(0) + self.block(tree, 0) + self.between(0)

    def block(self, value: Any, indent: int, key: bool = False) -> str:
        """Lines for what is in `value`, from the next line on."""
        pad = " " * indent
        if isinstance(value, dict):
            return "".join(
                f"{pad}{self.key(k)}{self.spaces(0)}:{self.below(v, indent, True)}"
                for k, v in value.items()
            )
        return "".join(f"{pad}-{self.below(v, indent, False)}" for v in value)

    def below(self, value: Any, indent: int, in_map: bool) -> str:
        """What stands behind a key or a dash, to the end of its last line."""
        deeper = indent + self.chance.choice([1, 2, 2, 3, 4, 8])
        if isinstance(value, (dict, list)) and value and self.chance.random() < 0.7:
            if in_map and isinstance(value, list) and self.chance.random() < 0.5:
                deeper = indent
            if not in_map and self.chance.random() < 0.5:
                spaces = self.chance.choice([1, 2, 3])
                return " " * spaces + self.block(value, indent + 1 + spaces).lstrip(" ")
            return (
                self.end() + self.between(deeper) + self.block(value, deeper) + self.between(deeper)
            )
        if isinstance(value, str) and "\n" in value and self.chance.random() < 0.7:
            return self.spaces(1) + self.lines(value, indent, deeper)
        written = self.flow(value, deeper)
        if written and self.chance.random() < 0.1:
            return self.end() + " " * deeper + written + self.end()
        return (self.spaces(1) + written if written else "") + self.end()

    def lines(self, value: str, indent: int, deeper: int) -> str:
        """A text of lines, in the style |."""
        chomp = (
            "-"
            if not value.endswith("\n")
            else "+"
            if value.endswith("\n\n") or value == "\n"
            else ""
        )
        digit = str(deeper - indent) if value[0] in " \n\t" or self.chance.random() < 0.2 else ""
        body = value if value.endswith("\n") else value + "\n"
        pad = " " * deeper
        return f"|{digit}{chomp}\n" + "".join(
            pad + line if line.strip("\n") else line for line in body.splitlines(keepends=True)
        )

    def flow(self, value: Any, indent: int) -> str:
        """Something on one line, or in brackets over several."""
        if isinstance(value, dict):
            items = [
                f"{self.key(k)}{self.spaces(0)}: {self.flow(v, indent)}" for k, v in value.items()
            ]
            return self.brackets("{}", items, indent)
        if isinstance(value, list):
            return self.brackets("[]", [self.flow(v, indent) for v in value], indent)
        if isinstance(value, str):
            return self.key(value)
        return (
            {None: "null", True: "true", False: "false"}.get(value, str(value))
            if not isinstance(value, int) or isinstance(value, bool)
            else str(value)
        )

    def brackets(self, pair: str, items: list[str], indent: int) -> str:
        gaps = ["", " ", "   "] + [f"{self.end()}{' ' * (indent + 1)}" for _ in range(2)]
        inner = ""
        for number, item in enumerate(items):
            comma = "," if number < len(items) - 1 else ""
            inner += self.chance.choice(gaps) + item + self.chance.choice(["", " "]) + comma
        return f"{pair[0]}{inner} {pair[1]}"

    def key(self, text: str) -> str:
        """Text on one line: plain where that can be, else quoted in either way."""
        ways = [
            '"'
            + text.replace("\\", "\\\\")
            .replace('"', '\\"')
            .replace("\n", "\\n")
            .replace("\t", "\\t")
            + '"'
        ]
        if "\n" not in text:
            ways.append("'" + text.replace("'", "''") + "'")
        if re.fullmatch(r"[a-z]+( [a-z]+)?|0644", text) and text not in ("null",):
            ways += [text] * 4
        return self.chance.choice(ways)

    def spaces(self, least: int) -> str:
        return " " * (least + self.chance.choice([0, 0, 0, 1, 4]))

    def end(self) -> str:
        """The end of a line, perhaps with a comment."""
        return (
            f"{self.spaces(1)}{self.comment()}" if self.chance.random() < 0.2 else self.spaces(0)
        ) + "\n"

    def between(self, indent: int) -> str:
        """Blank lines and comments, indented as what is around or somehow."""
        found = ""
        while self.chance.random() < 0.2:
            column = self.chance.choice([indent, indent, 0, 5])
            found += self.chance.choice(["\n", "  \n", f"{' ' * column}{self.comment()}\n"])
        return found

    def comment(self) -> str:
        self.comments += 1
        return f"# comment {self.comments}"


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(SCALARS, TREES, max_size=5), st.integers(0, 2**32))
def test_any_text_keeps_what_it_says_and_its_comments_and_is_formatted_once(tree, seed):
    text = Scribe(seed).document(tree)
    before = content(text)
    after = formatted(text, "x.yaml")
    assert content(after) == before
    assert re.findall(r"# comment \d+", after) == re.findall(r"# comment \d+", text)
    assert formatted(after, "x.yaml") == after
    assert not re.search(r"\n\n\n", re.sub(r"\|[^\n]*\n(\s+[^\n]*\n)*", "", after))
