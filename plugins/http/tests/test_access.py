"""Who is asked, with what, and through whom."""

import base64

import pytest

from setpoint import ParamError, Refused, Secret
from setpoint.testing.serving import Server
from setpoint_http import Http

BASIC = "Basic " + base64.b64encode("änn:pass:word".encode()).decode()
CREDENTIALS = {
    "headers": {"X-Token": Secret("token"), "Cookie": Secret("id=1")},
    "auth": Secret("änn:pass:word"),
}


async def test_it_says_who_asks(http_server: Server, declare):
    http_server.put("/x", b"x")
    await declare(http_server.url("/x"), **CREDENTIALS).check_apply(apply=True)
    headers = http_server.asked[-1].headers
    assert (headers["authorization"], headers["x-token"]) == (BASIC, "token")
    assert headers["accept-encoding"] == "identity"
    await declare(http_server.url("/x"), auth=Secret("bearer a.b"), name="b").check_apply(
        apply=True
    )
    assert http_server.asked[-1].headers["authorization"] == "Bearer a.b"


async def test_another_host_gets_no_credentials(http_server, declare):
    with_another_name = http_server.url("/x").replace("127.0.0.1", "127.1")
    http_server.put("/x", b"x")
    http_server.put("/SUMS", b"9dd4e461268c8034f5c8564e155c67a6" + b"  x")
    http_server.redirect("/away", with_another_name)
    http_server.redirect("/here", "/x")
    for path in ("/away", "/here"):
        await declare(http_server.url(path), name=path[1:], **CREDENTIALS).check_apply(apply=True)
    away, led, here, came = http_server.asked
    assert [one.headers.get("authorization") == BASIC for one in (away, led, here, came)] == [
        True, False, True, True,
    ]  # fmt: skip
    assert not {"x-token", "cookie"} & led.headers.keys()
    sums = with_another_name.replace("/x", "/SUMS")
    await declare(http_server.url("/x"), checksum=sums, name="s", **CREDENTIALS).check_apply(
        apply=True
    )
    assert "authorization" not in http_server.asked[-2].headers
    assert "authorization" in http_server.asked[-1].headers


async def test_netrc_is_not_read(http_server, declare, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    http_server.put("/x", b"x")
    await declare(http_server.url("/x")).check_apply(apply=True)
    assert "authorization" not in http_server.asked[-1].headers


async def test_a_proxy_is_asked(http_server, https_server, proxy, declare, tmp_path):
    http_server.put("/x", b"x")
    https_server.put("/x", b"tls")
    await declare(http_server.url("/x"), proxy=proxy.url).check_apply(apply=True)
    assert proxy.asked == [f"GET {http_server.url('/x')} HTTP/1.1"]
    await declare(https_server.url("/x"), proxy=proxy.url, ca=https_server.ca).check_apply(
        apply=True
    )
    assert (tmp_path / "got").read_bytes() == b"tls"
    assert proxy.asked[1].startswith(f"CONNECT 127.0.0.1:{https_server.port} ")


async def test_the_environment_names_a_proxy_unless_none_is_wanted(
    http_server, proxy, declare, monkeypatch
):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    http_server.put("/x", b"x")
    await declare(http_server.url("/x")).check_apply(apply=True)
    assert len(proxy.asked) == 1
    await declare(http_server.url("/x"), name="direct", proxy="direct").check_apply(apply=True)
    assert len(proxy.asked) == 1
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    await declare(http_server.url("/x"), name="excepted").check_apply(apply=True)
    assert len(proxy.asked) == 1


async def test_a_proxy_that_is_not_there_is_named(http_server, declare):
    resource = declare(http_server.url("/x"), proxy="http://127.0.0.1:1", retry=0)
    with pytest.raises(
        OSError, match=r"proxy did not lead to 127\.0\.0\.1:\d+, connection refused; see"
    ):
        await resource.check_apply(apply=True)


async def test_a_url_that_no_library_understands_is_refused(http_server, declare):
    http_server.redirect("/x", "http://[::1")
    with pytest.raises(Refused, match="correct the url"):
        await declare(http_server.url("/x")).check_apply(apply=True)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"url": "ftp://host/x"}, "url must begin with http:// or https:// or file://"),
        ({"url": "http://"}, "url must name a host"),
        ({"url": "http://ann:secret@host/"}, "url must not have a user .*; write them into auth"),
        ({"url": "http://host:99999/"}, "url must be a URL, Port out of range"),
        ({"url": "http://host/a b"}, "url must not have spaces .*; write %20"),
        ({"url": "file://host/x"}, "url must be like file:///path"),
        ({"path": "x"}, "path must be absolute, not 'x'"),
        ({"path": "/x/"}, "path must be the path of a file"),
        ({"ca": "x"}, "ca must be absolute"),
        ({"client_key": "/x"}, "client_key must go with client_cert"),
        ({"sha256": "12"}, "sha256 must have 64 hexadecimal digits, not '12'"),
        (
            {"checksum": "sha25:00"},
            "checksum must be of a known algorithm, .*did you mean 'sha256'",
        ),
        ({"checksum": "md5:00"}, "checksum must have 32 hexadecimal digits for md5, not '00'"),
        ({"checksum": "00"}, "checksum must be like sha256:HEX or a URL"),
        ({"checksum": f"md5:{'0' * 32}", "sha256": "0" * 64}, "checksum must be empty with sha256"),
        ({"headers": {"a b": "c"}}, "headers must have names of letters"),
        ({"headers": {"a": Secret("b\nc")}}, "headers must be single lines, and a is not"),
        ({"headers": {"Range": "b"}}, "headers must leave Range to the download"),
        ({"auth": Secret("ann")}, "auth must be USER:PASSWORD or bearer TOKEN"),
        ({"auth": Secret("Bearer ")}, "auth must have one word after bearer"),
        ({"proxy": "socks5://host"}, "proxy must begin with http:// or https://"),
        ({"mode": "u=rw"}, "mode must be from 0000 to 07777, not 'u=rw'"),
    ],
)
def test_params_that_cannot_be_are_refused(params, message):
    with pytest.raises(ParamError, match=message):
        Http("x", **{"url": "http://host/x", **params})
