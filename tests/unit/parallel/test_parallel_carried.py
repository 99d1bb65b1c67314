"""What workers know of the parent beside their tasks: the rules of `register_hash`."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def run(folder: Path, text: str, **files: str) -> str:
    """What a script prints; `files` are modules beside it."""
    for name, content in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(content))
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=folder, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


HANDLE = """
    class Handle:
        def __init__(self, name):
            self.name, self.noise = name, object()

        def __reduce__(self):
            return Handle, (self.name,)
"""


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
def test_a_rule_of_a_script_holds_in_its_tasks(tmp_path: Path, backend: str) -> None:
    """Class and rule are of ``__main__``; the rule counts at any depth and for cached functions."""
    printed = run(
        tmp_path,
        textwrap.dedent(HANDLE)
        + textwrap.dedent(
            f"""
            import lightwork
            from lightwork import Memory, Parallel, delayed, register_hash

            register_hash(Handle, lambda handle: handle.name.lower())
            memory = Memory("cache")

            @memory.cache
            def give(handles):
                return handles["h"][0].name

            def key(handles):
                return lightwork.hash(handles)

            def call(name):
                return give({{"h": [Handle(name)]}}), key([Handle(name)])

            found = Parallel(2, backend="{backend}")(delayed(call)(name) for name in ["a", "A", "a", "b"])
            assert [name.lower() for name, _ in found] == ["a", "a", "a", "b"]
            assert [key for _, key in found] == [key([Handle(name)]) for name in ["A", "A", "A", "B"]]
            assert len(list(memory.store.scan())) == 2
            # Another rule takes the place of the first one, in workers that know it already.
            register_hash(Handle, lambda handle: 0)
            found = Parallel(2, backend="{backend}")(delayed(key)(Handle(name)) for name in "ab")
            print(len(set(found)), found[0] == key(Handle("c")))
            """
        ),
    )
    assert printed == "1 True\n"


def test_a_rule_is_built_where_its_class_is_met(tmp_path: Path) -> None:
    """A worker that sees no value of the class does not import its module."""
    printed = run(
        tmp_path,
        """
        import sys
        import lightwork
        from lightwork import Parallel, delayed, register_hash
        from heavy import Handle

        register_hash(Handle, lambda handle: handle.name)

        def look(value):
            return lightwork.hash(value), "heavy" in sys.modules

        found = Parallel(2)(delayed(look)(i) for i in range(4))
        print({loaded for _, loaded in found})
        found = Parallel(2)(delayed(look)([Handle("a")]) for i in range(2))
        print({key for key, _ in found} == {lightwork.hash([Handle("a")])})
        """,
        heavy=HANDLE,
    )
    assert printed == "{False}\nTrue\n"


def test_a_rule_that_cannot_travel_is_named(tmp_path: Path) -> None:
    """The call ends before any task runs, with an error that names the class of the rule."""
    printed = run(
        tmp_path,
        """
        import threading
        from heavy import Handle
        from lightwork import Parallel, delayed, register_hash
        from lightwork.errors import UnpicklableError

        lock = threading.Lock()
        register_hash(Handle, lambda handle: lock.locked())
        try:
            Parallel(2)(delayed(print)("ran") for i in range(2))
        except UnpicklableError as error:
            print("the hash rule of heavy:Handle" in str(error))
        """,
        heavy=HANDLE,
    )
    assert printed == "True\n"
