"""Who may use the service, as the environment says it."""

from __future__ import annotations

import pytest

from executors.gateway.guard.policy import Access, is_loopback
from soundalike.errors import ConfigError

KEY = {"SOUNDALIKE_API_KEY": "sesame-open"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_this_machine_alone_needs_no_key(host: str):
    assert is_loopback(host)
    access = Access.from_env(host, {})
    assert access.admits(None)
    assert access.hosts is not None
    assert {"localhost", "127.0.0.1", "::1"} <= access.hosts


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.7", "my-machine", "localhost.evil.example", ""]
)
def test_others_need_one_or_a_waiver(host: str):
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="SOUNDALIKE_ALLOW_ANONYMOUS=1"):
        Access.from_env(host, {})
    with pytest.raises(ConfigError, match="no key is set"):
        Access.from_env(host, {"SOUNDALIKE_API_KEY": "", "SOUNDALIKE_ALLOW_ANONYMOUS": "0"})
    assert Access.from_env(host, KEY).api_key == "sesame-open"
    assert Access.from_env(host, {"SOUNDALIKE_ALLOW_ANONYMOUS": "1"}).admits(None)


def test_only_the_right_key_is_admitted():
    access = Access.from_env("0.0.0.0", {**KEY, "SOUNDALIKE_ALLOW_ANONYMOUS": "1"})
    assert access.admits("sesame-open")
    assert access.admits(b"sesame-open")
    for wrong in (None, "", "sesame", "sesame-open ", "SESAME-OPEN", "sesäme-open", b"\xff", "\ud800"):
        assert not access.admits(wrong)


def test_the_key_is_not_shown():
    assert "sesame" not in repr(Access.from_env("127.0.0.1", KEY))
    with pytest.raises(ConfigError) as caught:
        Access.from_env("127.0.0.1", {"SOUNDALIKE_API_KEY": "sesäme"})
    assert "ses" not in caught.value.message


@pytest.mark.parametrize("key", ["a\nb", "ä", " a", "a\t"])
def test_a_key_that_no_header_can_hold_is_refused(key: str):
    with pytest.raises(ConfigError, match="cannot"):
        Access.from_env("127.0.0.1", {"SOUNDALIKE_API_KEY": key})


def test_names_and_pages():
    access = Access.from_env(
        "0.0.0.0",
        {
            **KEY,
            "SOUNDALIKE_HOSTS": "Sounds.example, [::1]",
            "SOUNDALIKE_CORS_ORIGINS": "https://a.example/,https://b.example",
        },
    )
    own = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}
    assert access.hosts == {"sounds.example", *own}
    assert access.origins == ("https://a.example", "https://b.example")
    assert Access.from_env("0.0.0.0", KEY).hosts is None


def test_jinas_cors_stands_for_any_origin_unless_some_are_named():
    assert Access.from_env("127.0.0.1", {}, any_origin=True).origins == ("*",)
    named = {"SOUNDALIKE_CORS_ORIGINS": "https://a.example"}
    assert Access.from_env("127.0.0.1", named, any_origin=True).origins == ("https://a.example",)
