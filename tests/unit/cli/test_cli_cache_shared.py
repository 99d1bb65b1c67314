"""``lightwork cache`` at a URL."""

from pathlib import Path

import pytest

from lightwork.memory import Memory
from tests.s3_server import S3Server
from tests.unit.cli.command import refused, run

pytest.importorskip("obstore", reason="object stores are reached through obstore")


def double(x: int) -> int:
    return 2 * x


def _listed(url: str, environment: dict[str, str]) -> str:
    done = run("cache", "ls", url, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def _here() -> dict[str, str]:
    """Where obstore is: the command's path is set anew."""
    obstore = pytest.importorskip("obstore")
    source = Path(__file__).parents[3] / "src"
    return {"PYTHONPATH": f"{source}:{Path(obstore.__file__).parents[1]}"}


def test_an_object_store_is_looked_at_like_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is listed, verified and cleared; one that cannot be reached is no empty cache."""
    pytest.importorskip("moto", reason="the server that speaks the protocol of S3 is moto's")
    server = S3Server()
    server.start()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    url = server.url("cli")
    cached = Memory(url).cache(double)
    cached(1), cached(2)
    for call in ("double(1)", "double(2)"):
        assert call in _listed(url, _here())
    assert run("cache", "verify", url, env=_here()).returncode == 0
    assert run("cache", "clear", "--yes", url, env=_here()).returncode == 0
    assert "double" not in _listed(url, _here())
    server.kill()
    assert "cannot be reached" in refused(run("cache", "ls", url, env=_here()), 1)


def test_so_is_a_shared_folder(tmp_path: Path) -> None:
    """Also one that others may write to, since nothing is unpickled."""
    Memory(f"file://{tmp_path}").cache(double)(1)
    (tmp_path / "lightwork-1").chmod(0o777)
    assert "double(1)" in _listed(f"file://{tmp_path}", _here())


def test_what_is_no_url_of_a_store_is_refused() -> None:
    """In one line."""
    assert "no place for a cache" in refused(run("cache", "ls", "ftp://host/x", env=_here()), 2)
