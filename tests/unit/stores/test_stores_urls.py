import sys
from pathlib import Path

import pytest

from lightwork.errors import InvalidOption, MissingDependency
from lightwork.memory import Memory
from lightwork.parallel import Parallel
from lightwork.stores import ObjectStore, TieredStore, open_store
from lightwork.stores.urls import checked_url, is_url

pytest.importorskip("obstore", reason="object stores are reached through obstore")


def test_what_is_a_url() -> None:
    """Folders with colons are folders."""
    assert is_url("s3://bucket")
    assert is_url("ftp://host/x")
    assert not any(map(is_url, ["", "folder", "/a/b", "a:b", "C:\\x", "./s3:/x", "s3:/bucket", "/x/s3://y"]))


def test_equal_places_have_one_form() -> None:
    """Slashes that say nothing are left out."""
    assert checked_url("s3://bucket//a/b//") == "s3://bucket/a/b"
    assert checked_url("file:///a/b/") == "file:///a/b"
    assert checked_url("gs://bucket") == "gs://bucket"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/x", "no place for a cache"),
        ("http://host/x", "no place for a cache"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://bucket/x?y=1", "begins with"),
        ("s3://bucket/x#y", "begins with"),
        ("s3://bucket/a/../b", r"'\.\.'"),
        ("s3://bucket/%2e%2e/b", r"'\.\.'"),
        ("s3://somebody:secret@bucket/x", "credentials"),
        ("az://container@account.blob.core.windows.net/x", "credentials"),
        ("s3://bucket:9000/x", "has no port"),
        ("az://container:10000/x", "has no port"),
        ("gs://bucket:port/x", "has no port"),
        ("file://folder/x", "whole path"),
        ("file://", "whole path"),
    ],
)
def test_what_names_no_place_is_refused(url: str, message: str) -> None:
    """Before anything happens, and without showing secrets."""
    with pytest.raises(InvalidOption, match=message) as caught:
        Memory(url)
    assert "secret" not in str(caught.value)


def test_a_path_is_no_url() -> None:
    """`pathlib` takes a slash out of a URL, and would make a folder 's3:'."""
    with pytest.raises(InvalidOption, match="give it as text"):
        Memory(Path("s3://bucket/prefix"))


def test_a_checkpoint_is_a_folder() -> None:
    """A URL is refused by name, and no folder 's3:' is made."""
    with pytest.raises(InvalidOption, match="is a URL"):
        Parallel(checkpoint="s3://bucket/x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "blue"}, "colour"),
        ({"local": 3}, "local=3"),
        ({"fresh": 3}, "local="),
        ({"local": "x", "fresh": -1}, "fresh=-1"),
        ({"local": "x", "local_bytes": "many"}, "local_bytes='many'"),
        ({"config": "x"}, "config="),
        ({"config": {"no_such_key": "1"}}, "no_such_key"),
        ({"client_options": {"no_such_option": "1"}}, "location="),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, object], message: str) -> None:
    """By name, when the `Memory` is made."""
    with pytest.raises(InvalidOption, match=message):
        Memory("s3://bucket/x", backend_options=options)


def test_limits_and_trust_are_refused_where_they_mean_nothing(tmp_path: Path) -> None:
    """A bucket has its own rules for both; a shared folder has an owner."""
    with pytest.raises(InvalidOption, match="rules of its own"):
        Memory("s3://bucket/x", max_bytes="1GB")
    with pytest.raises(InvalidOption, match="trust_folder=True means nothing"):
        Memory("s3://bucket/x", trust_folder=True)
    with pytest.raises(InvalidOption, match="mean nothing"):
        Memory(f"file://{tmp_path}", backend_options={"config": {"region": "x"}})
    with pytest.raises(InvalidOption, match="knows none for folders"):
        Memory(tmp_path, backend_options={"local": "x"})


def test_a_place_is_opened_once(tmp_path: Path) -> None:
    """Equal locations share one store, whose leases and figures are the process'."""
    options: dict[str, object] = {"local": tmp_path, "local_bytes": "1GB", "fresh": "1m"}
    store = open_store("s3://bucket/x/", options=options)
    assert isinstance(store, TieredStore)
    assert open_store("s3://bucket/x", options=options) is store
    assert isinstance(store.far, ObjectStore)
    assert open_store("s3://bucket/x") is store.far
    assert open_store("s3://bucket/y", options=options) is not store
    assert list(tmp_path.iterdir()) == []


def test_without_obstore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lacks it learns what to install, when the `Memory` is made."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingDependency, match=r"lightwork\[s3\]"):
        Memory("s3://bucket/without-obstore")
