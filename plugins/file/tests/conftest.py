import pytest

from setpoint.host import Host
from setpoint_file import File


class Neighbours(Host):
    """A host on which the resources that a test makes know each other, as in a graph."""

    def __init__(self, state):
        super().__init__(state=state)
        self.made = {}

    def peers(self, resource, kind):
        return self.made


@pytest.fixture
def host(tmp_path_factory):
    host = Neighbours(tmp_path_factory.mktemp("state"))
    yield host
    host.close()


@pytest.fixture
def make(host):
    """Return a function that makes a File on `host`."""

    def make(path, **params):
        file = File(str(path), _host=host, **params)
        host.made[file.name] = file
        return file

    return make


@pytest.fixture
def settle():
    """Return a function that applies a file once, sees that it is clean then, and says what changed."""

    def settle(file):
        changes = file.check()
        assert file.check() == changes, "the first check changed something"
        if changes:
            file.apply(changes)
        assert file.check() == []
        file.forget()
        assert file.check() == [], "only what was remembered was clean"
        return {change.attribute: (change.before, change.after) for change in changes}

    return settle
