"""What the docstring of a kind or a fact says: its prose, and an entry for each param."""

import re

_ENTRY = re.compile(r"(\w+): (.*)")


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """Return the prose of a kind's docstring, and what it says of each param and of "Sends"."""
    prose, entries, current = list[str](), dict[str, str](), ""
    for line in docstring.splitlines():
        found = _ENTRY.fullmatch(line)
        if found:
            current = found[1]
            entries[current] = found[2]
        elif line.startswith("Sends "):
            current = "Sends"
            entries[current] = f"{entries.get(current, '')} {line.removeprefix('Sends ')}".lstrip()
        elif current and line.strip():
            entries[current] += f" {line.strip()}"
        else:
            current = ""
            prose.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(prose)).strip(), entries
