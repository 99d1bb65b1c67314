"""``lightwork cache ...`` as a real process, on caches that other processes have filled."""

import importlib.util
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import lightwork
from lightwork import Memory
from tests.unit.cli.command import SRC, refused, run

pytestmark = pytest.mark.slow

MODULE = """\
import time
from lightwork import Memory

memory = Memory("cache")

@memory.cache
def train(x, depth=1):
    time.sleep(0.02)
    return bytes(1000 * x)

@memory.cache(ignore=["note"])
def load(name, note=None):
    return name
"""


def filled(folder: Path) -> Path:
    """A cache of four results: three of `train`, one of `load`."""
    (folder / "model.py").write_text(MODULE)
    code = "import model; [model.train(x) for x in (1, 2, 30)]; model.load('a', note=5)"
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, timeout=50)
    return folder / "cache"


def told(*arguments: str, cwd: Path, **options: Any) -> Any:
    """The JSON of a command that ends well. Any: options of `subprocess.run`; what json gives."""
    done = run("cache", *arguments, "--json", cwd=cwd, **options)
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_results_are_listed_sorted_and_narrowed_down(tmp_path: Path) -> None:
    """By function, size, cost and age; a table for people, all fields for programs."""
    cache = filled(tmp_path)
    entries = {entry.call: entry for entry in Memory(cache).entries()}
    listed = told("ls", "cache", "--sort", "size", cwd=tmp_path)
    assert [each["call"] for each in listed][:3] == ["train(30)", "train(2)", "train(1)"]
    assert listed[0]["key"] == entries["train(30)"].key.hex()
    assert listed[0]["nbytes"] == entries["train(30)"].nbytes
    assert listed[0]["function"] == "model:train"
    for options, calls in (
        (["--function", "load"], {"load('a', note=5)"}),
        (["--function", "model:tr*", "--smaller", "10K"], {"train(1)", "train(2)"}),
        (["--larger", "10K"], {"train(30)"}),
        (["--slower", "0.01"], {"train(1)", "train(2)", "train(30)"}),
        (["--faster", "0.01s", "--newer", "1h"], {"load('a', note=5)"}),
        (["--older", "1 day"], set[str]()),
        (["--unused", "7 days"], set[str]()),
    ):
        assert {each["call"] for each in told("ls", "cache", *options, cwd=tmp_path)} == calls
    shown = run("cache", "ls", "cache", "--sort", "function", "--reverse", "-n", "2", cwd=tmp_path)
    head, first, second = shown.stdout.decode().splitlines()
    assert head.split() == ["key", "size", "written", "used", "took", "call"]
    assert [first.split()[-1], second.split()[-1]] == ["train(30)", "train(2)"]


def test_one_result_is_shown_with_what_its_key_is_made_of(tmp_path: Path) -> None:
    """By the digits that `ls` shows; the code that made it by name."""
    filled(tmp_path)
    (first,) = told("ls", "cache", "--function", "train", "--sort", "size", "-n", "1", cwd=tmp_path)
    short = run("cache", "ls", "cache", "--larger", "10K", cwd=tmp_path).stdout.decode().splitlines()[1][:12]
    shown = told("show", "cache", short, cwd=tmp_path)
    assert shown["key"] == first["key"]
    assert set(shown["facts"]["args"]) == {"x", "depth"}
    assert "model:train" in shown["facts"]["parts"]["parts"]
    text = run("cache", "show", "cache", first["key"], cwd=tmp_path).stdout.decode()
    assert text.startswith("train(30)\nfunction  model:train\n")
    assert "no result with the key" in refused(run("cache", "show", "cache", "0000", cwd=tmp_path), 2)
    assert "hexadecimal" in refused(run("cache", "show", "cache", "xyz", cwd=tmp_path), 2)
    prefix = first["key"][:16]  # of the function
    assert "keys begin with" in refused(run("cache", "show", "cache", prefix, cwd=tmp_path), 2)


SCRIPT = """\
from pathlib import Path
from lightwork import File, Memory

memory = Memory("cache")

@memory.cache
def parse(file):
    return Path(file).read_text()

if __name__ == "__main__":
    for name in ("d1.txt", "d2.txt"):
        Path(name).write_text(name)
        parse(File(name))
"""


def ran(folder: Path, script: str = "proj.py") -> Path:
    """A cache that a script has filled, with the results of two files."""
    (folder / script).write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, script], cwd=folder, env=environment, check=True, timeout=50)
    return folder / "cache"


def test_results_of_files_are_told_by_their_names(tmp_path: Path) -> None:
    """In the list, and in all that is known of one of them."""
    ran(tmp_path)
    listed = told("ls", "cache", cwd=tmp_path)
    assert {each["call"] for each in listed} == {"parse(File('d1.txt'))", "parse(File('d2.txt'))"}
    text = run("cache", "show", "cache", listed[0]["key"], cwd=tmp_path).stdout.decode()
    (argument,) = [line for line in text.splitlines() if line.startswith("argument")]
    assert argument.endswith(f", the file {listed[0]['call'][12:18]}")


def test_functions_of_scripts_are_explained_by_their_file(tmp_path: Path) -> None:
    """As the script itself knows them, without its work; a hit is a hit, and moved ones are told."""
    ran(tmp_path)
    (listed, *_) = told("ls", "cache", cwd=tmp_path)
    for name in ("proj.py:parse", f"{tmp_path}/proj.py:parse", listed["function"]):
        assert told("explain", "cache", name, "File('d2.txt')", cwd=tmp_path)["hit"]
    (tmp_path / "d1.txt").write_text("new")
    missed = told("explain", "cache", "proj.py:parse", "File('d1.txt')", cwd=tmp_path)
    assert missed["changes"] == ["file d1.txt has changed"]
    assert (tmp_path / "d1.txt").read_text() == "new"
    missed = told("explain", "cache", "proj:parse", "File('d2.txt')", cwd=tmp_path)
    assert missed["reason"] == "no result of this function is kept"
    assert f"results of __main__ {tmp_path.resolve()}/proj.py:parse" in missed["changes"][0]
    (tmp_path / "bad.py").write_text("1 +")
    for name, part in (
        ("__main__:parse", "PATH.py:parse"),
        ("none.py:parse", "none.py"),
        ("bad.py:parse", "no Python script"),
        ("proj.py:nope", "has no nope"),
    ):
        assert part in refused(run("cache", "explain", "cache", name, cwd=tmp_path), 2)


def test_a_checkpoint_can_be_looked_at(tmp_path: Path) -> None:
    """Its tasks are told, counted and removed like results; only `explain` cannot know their input."""
    (tmp_path / "fn.py").write_text("def sq(x): return x * x\n")
    code = "import fn; from lightwork import Parallel; Parallel(2, checkpoint='kept').map(fn.sq, range(5))"
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=50)
    listed = told("ls", "kept", cwd=tmp_path)
    assert {each["call"] for each in listed} == {f"sq({x})" for x in range(5)}
    assert all(each["seconds"] > 0 for each in listed)
    assert told("stats", "kept", cwd=tmp_path)["results"] == 5
    assert "checkpoint" in refused(run("cache", "explain", "kept", "fn:sq", "3", cwd=tmp_path), 2)
    assert told("rm", "kept", "--function", "sq", "--yes", cwd=tmp_path)["removed"] == 5


def test_functions_are_ranked_and_summed_up(tmp_path: Path) -> None:
    """`top`, `du` and `stats` agree with what `Memory` tells."""
    cache = filled(tmp_path)
    totals = Memory(cache).stats()
    train, load = told("top", "cache", cwd=tmp_path)
    assert (train["function"], train["results"], load["results"]) == ("model:train", 3, 1)
    assert train["seconds"] == pytest.approx(sum(e.seconds for e in Memory(cache).entries()), rel=0.01)
    assert [
        each["function"] for each in told("top", "cache", "--sort", "function", "-n", "1", cwd=tmp_path)
    ] == ["model:load"]
    used = told("du", "cache", cwd=tmp_path)
    assert [each["function"] for each in used["functions"]] == ["model:train", "model:load"]
    assert (used["results"], used["nbytes"]) == (4, totals.nbytes)
    (cache / "of the user").write_bytes(bytes(10_000_000))
    assert totals.nbytes <= used["on_disk"] < 10_000_000
    assert told("du", "cache", cwd=tmp_path)["on_disk"] < 10_000_000
    figures = told("stats", "cache", cwd=tmp_path)
    assert (figures["results"], figures["nbytes"], figures["functions"]) == (4, totals.nbytes, 2)
    assert b"4 results of 2 functions" in run("cache", "stats", "cache", cwd=tmp_path).stdout
    told("top", "cache", "--html", "page.html", cwd=tmp_path)
    assert "model:train" in (tmp_path / "page.html").read_text()
    for page in ("page.txt", "no/such/folder/page.html"):
        refused(run("cache", "top", "cache", "--html", page, cwd=tmp_path), 2)
    for command in ("top", "du"):
        assert b"model:train" in run("cache", command, "cache", cwd=tmp_path).stdout


def test_a_call_is_explained_with_the_options_of_its_function(tmp_path: Path) -> None:
    """The function is imported and not run."""
    filled(tmp_path)
    assert told("explain", "cache", "model:train", "2", cwd=tmp_path)["hit"]
    assert told("explain", "cache", "model:load", "'a'", "note=7", cwd=tmp_path)["hit"]
    missed = told("explain", "cache", "model:train", "2", "depth=3", cwd=tmp_path)
    assert (missed["hit"], missed["changes"]) == (False, ["argument 'depth' differs"])
    text = MODULE.replace("1000 * x", "1001 * x")
    (tmp_path / "model.py").write_text(text)
    os.utime(tmp_path / "model.py", (time.time() + 10,) * 2)
    assert (
        b"model:train has changed"
        in run("cache", "explain", "cache", "model:train", "2", cwd=tmp_path).stdout
    )
    for arguments, part in (
        (["model:nope", "1"], "has no nope"),
        (["nope:train", "1"], "cannot be imported"),
        (["train", "1"], "MODULE:FUNCTION"),
        (["model:train", "1 +"], "cannot be evaluated"),
        (["model:train", "depth=1", "2"], "stands behind"),
        (["model:train", "1", "2", "3"], "cannot be called so"),
    ):
        assert part in refused(run("cache", "explain", "cache", *arguments, cwd=tmp_path), 2)


def test_damaged_results_are_found_and_removed(tmp_path: Path) -> None:
    """Exit code 1, and the next time all is well."""
    memory = Memory(tmp_path / "cache")
    memory.eval(np.arange, 400_000)
    (blob,) = [
        path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size > 3_000_000
    ]
    assert told("verify", "cache", cwd=tmp_path)["damaged"] == []
    blob.chmod(0o600)
    content = bytearray(blob.read_bytes())
    content[1000] ^= 1
    blob.write_bytes(content)
    done = run("cache", "verify", "cache", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert [each["call"] for each in json.loads(done.stdout)["damaged"]] == ["arange(400000)"]
    assert run("cache", "verify", "cache", cwd=tmp_path).returncode == 0
    assert memory.stats().records == 0


def test_a_database_that_is_no_database_is_told(tmp_path: Path) -> None:
    """It is set aside, and would look like an empty cache."""
    memory = Memory(tmp_path / "cache")
    memory.eval(bytes, 10)
    memory.store.close()  # type: ignore[union-attr]  # there is one
    (database,) = (tmp_path / "cache").rglob("*.sqlite")
    database.write_bytes(b"no database " * 1000)
    done = run("cache", "verify", "cache", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert [Path(path).name for path in json.loads(done.stdout)["set_aside"]] == ["damaged-records.sqlite"]
    assert b"damaged as a whole" in run("cache", "verify", "cache", cwd=tmp_path).stdout


def test_results_are_removed_by_key_and_by_what_they_are(tmp_path: Path) -> None:
    """A dry run tells and leaves them; without ``--yes`` nobody is there to be asked."""
    filled(tmp_path)

    def left() -> set[str]:
        return {each["call"] for each in told("ls", "cache", cwd=tmp_path)}

    plan = told("rm", "cache", "--larger", "10K", "--dry-run", cwd=tmp_path)
    assert [each["call"] for each in plan["results"]] == ["train(30)"]
    assert (plan["removed"], len(left())) == (0, 4)
    assert "--yes" in refused(run("cache", "rm", "cache", "--function", "train", cwd=tmp_path), 2)
    assert len(left()) == 4
    (key,) = [each["key"] for each in told("ls", "cache", "--function", "load", cwd=tmp_path)]
    assert told("rm", "cache", key[16:24], "--yes", cwd=tmp_path)["removed"] == 1
    assert left() == {"train(1)", "train(2)", "train(30)"}
    assert told("rm", "cache", "--larger", "10K", "--yes", cwd=tmp_path)["removed"] == 1
    assert left() == {"train(1)", "train(2)"}
    assert "give keys, or options" in refused(run("cache", "rm", "cache", "--yes", cwd=tmp_path), 2)
    assert "--yes" in refused(run("cache", "clear", "cache", cwd=tmp_path), 2)
    assert told("clear", "cache", "--yes", cwd=tmp_path)["removed"] == 2
    assert run("cache", "clear", "cache", cwd=tmp_path).stdout == b"nothing to remove\n"


def test_too_much_and_expired_results_are_collected(tmp_path: Path) -> None:
    """The dry run names what will go."""
    memory = Memory(tmp_path / "cache")
    short = memory.cache(ttl=0.001)(str)
    short(1)
    memory.cache(ttl="1h")(repr)(2)
    for number in range(5):
        memory.eval(bytes, 1000 + number)
    memory.store.close()  # type: ignore[union-attr]  # there is one; the times of use are written down
    expired = told("gc", "cache", "--expired", "--dry-run", cwd=tmp_path)
    assert [each["call"] for each in expired["results"]] == ["str(1)"]
    planned = told("gc", "cache", "--expired", "--max-items", "3", "--dry-run", cwd=tmp_path)
    keys = {each["key"] for each in planned["results"]}
    before = {entry.key.hex() for entry in memory.entries()}
    assert told("gc", "cache", "--expired", "--max-items", "3", "-y", cwd=tmp_path)["removed"] == 4
    assert {entry.key.hex() for entry in memory.entries()} == before - keys
    assert told("gc", "cache", "--max-bytes", "1K", "-y", cwd=tmp_path)["removed"] == 3
    for options in ([], ["--max-bytes", "much"], ["--max-items", "-1"], ["--max-age", "soon"]):
        refused(run("cache", "gc", "cache", *options, cwd=tmp_path), 2)


def test_on_a_terminal_somebody_is_asked(tmp_path: Path) -> None:
    """Only a yes removes; a table is drawn by rich."""
    memory = Memory(tmp_path / "cache")
    memory.eval(bytes, 10)
    for answer, code, left in ((b"n\n", 1, 1), (b"y\n", 0, 0)):
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "lightwork", "cache", "clear", "cache"]
        environment = {**os.environ, "PYTHONPATH": str(SRC), "TERM": "xterm", "COLUMNS": "80"}
        shown = subprocess.run(
            [*command, "--dry-run"],
            cwd=tmp_path,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            timeout=50,
        )
        assert shown.returncode == 0
        assert b"bytes(10)" in os.read(master, 65536)
        os.write(master, answer)
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdin=slave, stdout=slave, stderr=slave, timeout=50
        )
        assert done.returncode == code
        assert b"remove 1 result " in os.read(master, 65536)
        os.close(slave)
        os.close(master)
        assert memory.stats().records == left


def test_a_checkpoint_is_a_cache_too(tmp_path: Path) -> None:
    """Its results have the names of their tasks; the folder inside stands for the location."""
    lightwork.Parallel(n_jobs=1, checkpoint=tmp_path / "run").map(str, range(3))
    assert len(told("ls", "run", cwd=tmp_path)) == 3
    assert len(told("ls", "run/lightwork-1", cwd=tmp_path)) == 3
    assert b"builtins:str" in run("cache", "top", "run", cwd=tmp_path).stdout


def test_signed_results_have_names_for_who_knows_the_secret(tmp_path: Path) -> None:
    """Without it they are listed by key."""
    Memory(tmp_path / "cache", sign=b"a secret of 16 bytes").eval(bytes, 10)
    (tmp_path / "secret").write_bytes(b"a secret of 16 bytes\n")
    assert [each["call"] for each in told("ls", "cache", "--secret", "secret", cwd=tmp_path)] == ["bytes(10)"]
    assert [each["call"] for each in told("ls", "cache", cwd=tmp_path)] == [""]
    refused(run("cache", "ls", "cache", "--secret", "nope", cwd=tmp_path), 2)


def test_a_location_may_be_a_url(tmp_path: Path) -> None:
    """Where the store of objects is installed; else one line says what to install."""
    url = f"file://{tmp_path}/objects"
    if importlib.util.find_spec("obstore") is None:
        assert "obstore" in refused(run("cache", "ls", url), 1)
        return
    memory = Memory(url)
    memory.eval(bytes, 10)
    memory.eval(str, 4)
    assert {each["call"] for each in told("ls", url, cwd=tmp_path)} == {"bytes(10)", "str(4)"}
    assert told("stats", url, cwd=tmp_path)["results"] == 2
    assert told("rm", url, "--function", "str", "--yes", cwd=tmp_path)["removed"] == 1
    assert told("clear", url, "--yes", cwd=tmp_path)["removed"] == 1
    assert "no place for a cache" in refused(run("cache", "ls", "zz://x"), 2)
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true"}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert "cannot be reached" in refused(run("cache", "ls", "s3://bucket/x", env={**away, **keys}), 1)


LOUD = """\
from lightwork import Memory

class Loud:
    def __reduce__(self):
        return print, ("unpickled!",)

Memory("cache").eval(Loud)
"""


@pytest.mark.parametrize(
    "arguments",
    [["ls"], ["show"], ["stats"], ["du"], ["top"], ["verify"], ["gc", "--max-items", "0", "--yes"]],
)
def test_nothing_is_unpickled_to_look_or_to_remove(tmp_path: Path, arguments: list[str]) -> None:
    """A result that would make itself heard stays silent."""
    (tmp_path / "script.py").write_text(LOUD)
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment, check=True, timeout=50)
    (entry,) = Memory(tmp_path / "cache").entries()
    command, *options = arguments
    options += [entry.key.hex()] if command == "show" else []
    done = run("cache", command, "cache", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"unpickled!" not in done.stdout


@pytest.mark.parametrize("command", ["ls", "stats", "du", "top", "verify", "clear"])
def test_looking_for_a_cache_makes_none(tmp_path: Path, command: str) -> None:
    """Where nothing was kept, one line says so."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    joblib.Memory(str(tmp_path / "theirs"), verbose=0).cache(len)("x")
    before = files(tmp_path)
    for path, part in (
        ("missing", "does not exist"),
        ("empty", "nothing was ever kept"),
        ("file", "is a file"),
        ("theirs", "joblib"),
    ):
        assert part in refused(run("cache", command, path, cwd=tmp_path), 2)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["ls", "--older", "soon"], "--older='soon'"),
        (["ls", "--larger", "much"], "--larger='much'"),
        (["ls", "-n", "-1"], "--limit=-1"),
        (["ls", "--sort", "taste"], "--sort"),
        (["top", "-n", "-1"], "--limit=-1"),
        (["lss"], "lss"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, arguments: list[str], part: str) -> None:
    """And exit code 2."""
    Memory(tmp_path / "cache").eval(bytes, 10)
    assert part in refused(run("cache", *arguments, "cache", cwd=tmp_path), 2)
