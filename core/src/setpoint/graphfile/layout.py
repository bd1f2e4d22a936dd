"""The layout of YAML: spaces, lines and quotes set anew around tokens that stay as they are.

Between two tokens of YAML there is nothing but spaces, line breaks and comments: the gap. So a text is formatted by
writing each token again, with a new gap before it. What is on a line of its own stays on one; its indentation follows
from the blocks that are open there, each of which has the column at which it was written and the one it gets.
"""

import re
from typing import Any, NamedTuple

import yaml
from yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockEntryToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowEntryToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    KeyToken,
    ScalarToken,
    TagToken,
    ValueToken,
)

from setpoint.graphfile.reader import LOADER

STEP = 2  # columns that a block is indented by
COMMENT_GAP = 2  # spaces before a comment behind something, at least

_HEADER = re.compile(r"([|>])(\d?)([-+]?)(\d?)")  # of a text of lines
_FLOW_STARTS = (FlowMappingStartToken, FlowSequenceStartToken)
_FLOW_ENDS = (FlowMappingEndToken, FlowSequenceEndToken)
_BLOCK_STARTS = (BlockMappingStartToken, BlockSequenceStartToken)


class _Block(NamedTuple):
    """A map or list that is open.

    was, now: the column at which it is written, and the one it gets.
    bare: a list in a map that is not indented, whose end no token tells.
    """

    was: int
    now: int
    is_map: bool = False
    bare: bool = False


class Layout:
    """One text while it is laid out.

    lines: what is finished.
    line: what is being written.
    blocks: what is open, outermost first.
    before: what was open where the last token ended.
    depth: how many brackets are open.
    shift: by how many columns the first of them moved; what is within moves with it.
    last: the token written last.
    end: where it ends in the text.
    lost: line breaks before that, which are not written yet.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: list[str] = []
        self.line = ""
        self.blocks: list[_Block] = [_Block(-1, -STEP)]
        self.before: list[_Block] = []
        self.depth = self.shift = self.end = self.lost = 0
        self.last: Any = None

    def formatted(self) -> str:
        """Return the text, laid out; it is YAML, so that it has tokens."""
        for token in yaml.scan(self.text, Loader=LOADER):
            self._structure(token)
            if token.start_mark.index < token.end_mark.index:  # others stand for a change of depth
                self._write(token)
        self._break(("\n" * self.lost + self.text[self.end :]).rstrip() + "\n")
        return "".join(f"{line}\n" for line in self.lines)

    def _structure(self, token: Any) -> None:
        """Note which blocks `token` begins or ends."""
        kind = type(token)
        if (
            self.depth == 0
            and kind in (KeyToken, ValueToken, BlockEndToken)
            and self.blocks[-1].bare
        ):
            self.blocks.pop()
        if kind in _BLOCK_STARTS:
            self._open(token, is_map=kind is BlockMappingStartToken)
        elif kind is BlockEntryToken and self.blocks[-1].is_map:
            was, now = token.start_mark.column, self.blocks[-1].now + STEP
            self.blocks.append(_Block(was, now, bare=True))
        elif kind is BlockEndToken:
            self.blocks.pop()

    def _open(self, token: Any, *, is_map: bool) -> None:
        begins_line = self.last is None or "\n" in self._gap(token)
        now = self.blocks[-1].now + STEP if begins_line else len(self.line) + 1
        self.blocks.append(_Block(token.start_mark.column, now, is_map))

    def _gap(self, token: Any) -> str:
        """Return what stands between the last token and `token`."""
        return "\n" * self.lost + self.text[self.end : token.start_mark.index]

    def _write(self, token: Any) -> None:
        """Write `token`, and the gap before it."""
        gap = self._gap(token)
        if self.last is None or "\n" in gap:
            self._break(gap)
            self.line = " " * self._indent(token.start_mark.column)
        else:
            self.line += _space(self.last, token)
        self._note_brackets(token)
        self.lost = 0
        written = self.text[token.start_mark.index : token.end_mark.index]
        if type(token) is ScalarToken and token.style in ("|", ">"):
            self._write_block(written)
        elif type(token) is ScalarToken:
            self._write_text(_requoted(written), token.start_mark.column)
        else:
            self.line += written
        self.last, self.end, self.before = token, token.end_mark.index, list(self.blocks)

    def _note_brackets(self, token: Any) -> None:
        if type(token) in _FLOW_STARTS:
            if self.depth == 0:
                self.shift = len(self.line) - token.start_mark.column
            self.depth += 1
        elif type(token) in _FLOW_ENDS:
            self.depth -= 1

    def _break(self, gap: str) -> None:
        """End the line, and write what is in `gap`: comments, and one blank line where there are any."""
        behind, *lines = gap.split("\n") if self.last else ["", *gap.split("\n")]
        if behind.strip():
            column = self.last.end_mark.column + len(behind) - len(behind.lstrip())
            column = max(column, len(self.line) + COMMENT_GAP)
            self.line = f"{self.line:{column}}{behind.strip()}"
        if self.last:
            self.lines.append(self.line)
        blank = False
        for line in lines[:-1]:  # the last one is what the next token is indented by
            comment = line.strip()
            if comment:
                self._add_blank(blank)
                indent = self._indent_of_comment(len(line) - len(line.lstrip()))
                self.lines.append(" " * indent + comment)
            blank = not comment
        self._add_blank(blank)

    def _add_blank(self, wanted: bool) -> None:
        if wanted and self.lines:
            self.lines.append("")

    def _indent(self, was: int) -> int:
        """Return the column of what was the first on its line, at the column `was`."""
        block = self.blocks[-1]
        if self.depth:
            return max(was + self.shift, block.now + STEP)
        return block.now if was == block.was else block.now + STEP

    def _indent_of_comment(self, was: int) -> int:
        """Return the column of a comment on a line of its own: that of the block to which it belongs."""
        if self.depth:
            return self._indent(was)
        found = _Block(-1, 0)
        for block in (*reversed(self.blocks), *reversed(self.before)):
            if found.was < block.was <= was:
                found = block
        return found.now

    def _write_text(self, written: str, column: int) -> None:
        """Write text that was at `column`; the lines in which it goes on move with the first."""
        first, *others = written.split("\n")
        shift, least = len(self.line) - column, self.blocks[-1].now + STEP
        self.line += _stripped(first) if others else first
        for other in others:
            self.lines.append(self.line)
            text = other.lstrip(" \t")
            indent = max(len(other) - len(text) + shift, least)
            text = _stripped(text)
            self.line = " " * indent + text if text else ""

    def _write_block(self, written: str) -> None:
        """Write a text of lines, `|` or `>`, which is indented by a step."""
        header, *body = written.split("\n")
        _, style, digit, chomp, digit_behind, rest = _HEADER.split(header, maxsplit=1)
        digit = digit or digit_behind
        if body and body[-1]:
            chomp = "-"  # the text ends without a line break, and so does what is written
        block = self.blocks[-1]
        was = max(block.was, 0) + int(digit) if digit else _indent_of_block(body)
        body = [line[was:] for line in body]
        kept = 1 if chomp == "+" else len(body)
        while body and not body[-1] and self.lost < kept:
            body.pop()
            self.lost += 1
        self.line += f"{style}{STEP if digit else ''}{chomp}{rest.rstrip()}"
        for line in body:
            self.lines.append(self.line)
            self.line = " " * (block.now + STEP) + line if line else ""


def _space(last: Any, token: Any) -> str:
    """Return what stands between two tokens on the same line."""
    before, after = type(last), type(token)
    if after is ValueToken:
        return " " if before in (AliasToken, AnchorToken, TagToken) else ""
    if before is FlowSequenceStartToken or (
        after is FlowSequenceEndToken and before is not ValueToken
    ):
        return ""
    if before is FlowMappingStartToken and after is FlowMappingEndToken:
        return ""
    return "" if after is FlowEntryToken and before is not ValueToken else " "


def _requoted(written: str) -> str:
    """Return text in double quotes, if it is in single ones and means the same in both."""
    inner = written[1:-1]
    plain = written[0] == "'" and not re.search(r"[\"'\\]", inner)
    return f'"{inner}"' if plain else written


def _stripped(line: str) -> str:
    """Return `line` of a longer text without the spaces at its end, unless a backslash counts on them."""
    stripped = line.rstrip()
    return line if stripped.endswith("\\") else stripped


def _indent_of_block(body: list[str]) -> int:
    """Return the column of a text of lines: that of the first which is not blank."""
    filled = (len(line) - len(line.lstrip(" ")) for line in body if line.strip(" "))
    return next(filled, max(map(len, body), default=0))
