"""``import joblib`` gives lightwork: in the process that asked for it, in its workers, and nowhere else.

Each test runs a program of its own: an alias is for a whole process, and this one has joblib loaded.
"""

import inspect
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import lightwork

PROGRAM = ("-m", "lightwork.compat")

REAL = """
import importlib.metadata, os, sys
REAL = os.path.realpath(importlib.metadata.distribution("joblib").locate_file("joblib")) + os.sep
def real():
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    return [file for file in files if os.path.realpath(file).startswith(REAL)]
"""


def run(tmp_path: Path, program: str, *command: str, expected: int = 0) -> str:
    """What a program prints. It is a file, so that workers and children find it."""
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, *(command or ("program.py",))], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == expected, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_both_names_give_the_same_modules(tmp_path: Path) -> None:
    """Whichever way of importing, whichever name comes first."""
    run(
        tmp_path,
        """
        import lightwork.compat.joblib.disk as disk
        from lightwork.compat import install
        face = install()
        import joblib, joblib.disk, joblib.hashing as hashing, joblib.logger
        from joblib import hash, logger
        import lightwork.compat.joblib.logger as ours
        assert joblib is face and joblib.disk is disk and logger is ours
        assert hashing.hash is hash is joblib.hash
        joblib.disk.RM_SUBDIRS_N_RETRY = 3
        assert disk.RM_SUBDIRS_N_RETRY == 3
        try:
            import joblib.my_exceptions
        except ModuleNotFoundError as error:
            assert error.name == "joblib.my_exceptions", error.name
        else:
            raise AssertionError
        """,
    )


@pytest.mark.slow
def test_finding_is_not_importing(tmp_path: Path) -> None:
    """``find_spec`` says where a module is and does not run it."""
    run(
        tmp_path,
        """
        import sys
        from importlib.util import find_spec
        from lightwork.compat import install
        install()
        spec = find_spec("joblib.logger")
        assert spec.name == "joblib.logger" and spec.origin.endswith("logger.py"), spec
        assert find_spec("joblib").submodule_search_locations
        assert "joblib.logger" not in sys.modules and "lightwork.compat.joblib.logger" not in sys.modules
        """,
    )


@pytest.mark.slow
def test_a_reload_keeps_the_module(tmp_path: Path) -> None:
    """Notebooks reload modules; both names still give one."""
    run(
        tmp_path,
        """
        import importlib, sys
        from lightwork.compat import install
        install()
        import joblib, joblib.disk
        joblib.disk.RM_SUBDIRS_N_RETRY = 3
        assert importlib.reload(joblib.disk) is joblib.disk and joblib.disk.RM_SUBDIRS_N_RETRY == 10
        assert importlib.reload(joblib) is joblib is sys.modules["joblib"]
        assert sys.modules["lightwork.compat.joblib.disk"] is sys.modules["joblib.disk"]
        """,
    )


@pytest.mark.slow
def test_pickles_by_either_name(tmp_path: Path) -> None:
    """A pickle that names joblib is read as the face, one that names the face without the alias."""
    run(
        tmp_path,
        """
        import pickle
        import lightwork.compat as compat
        compat.install()
        import joblib
        theirs = pickle.dumps(joblib.Logger(depth=5), protocol=0)
        ours = theirs.replace(b"lightwork.compat.joblib.logger", b"joblib.logger")
        assert ours != theirs
        assert type(pickle.loads(ours)) is type(pickle.loads(theirs)) is joblib.Logger
        compat.uninstall()
        assert pickle.loads(theirs).depth == 5
        """,
    )


@pytest.mark.slow
def test_a_mock_is_seen_and_not_kept(tmp_path: Path) -> None:
    """A public name follows its module, so what stood there for a moment does not stay."""
    run(
        tmp_path,
        """
        from unittest import mock
        import lightwork.compat.joblib as joblib
        with mock.patch("lightwork.compat.joblib.hashing.hash") as fake:
            assert joblib.hash is fake
        assert joblib.hash is joblib.hashing.hash is not fake
        with mock.patch("lightwork.compat.joblib.hash") as fake:
            assert joblib.hash is fake
        assert joblib.hash is joblib.hashing.hash is not fake
        """,
    )


@pytest.mark.slow
def test_install_refuses_when_joblib_is_loaded(tmp_path: Path) -> None:
    """Both would mix; the message says what to do. Nothing is installed, and joblib works on."""
    run(
        tmp_path,
        """
        import joblib
        import lightwork.compat as compat
        for _ in range(2):
            try:
                compat.install()
            except ImportError as error:
                assert "python -m lightwork.compat" in str(error)
            else:
                raise AssertionError
        assert not compat.installed()
        compat.uninstall()
        import joblib.memory, sys
        assert sys.modules["joblib"] is joblib and "lightwork" not in joblib.memory.__name__
        """,
    )


@pytest.mark.slow
def test_install_refuses_when_a_part_of_joblib_is_loaded(tmp_path: Path) -> None:
    """Deleting ``sys.modules["joblib"]`` does not make those forget it that hold its modules."""
    run(
        tmp_path,
        """
        import sys, joblib
        import lightwork.compat as compat
        del sys.modules["joblib"]
        try:
            compat.install()
        except ImportError:
            assert not compat.installed()
        else:
            raise AssertionError
        """,
    )


@pytest.mark.slow
def test_install_twice_and_back(tmp_path: Path) -> None:
    """A second call changes nothing; after `uninstall` the name is joblib's own."""
    run(
        tmp_path,
        """
        import sys
        import lightwork.compat as compat
        before = list(sys.meta_path)
        face = compat.install()
        assert compat.install() is face and compat.installed() and len(sys.meta_path) == len(before) + 1
        compat.uninstall()
        assert sys.meta_path == before and not compat.installed()
        import joblib
        assert joblib is not face and face.Logger().depth == 3
        """,
    )


@pytest.mark.slow
def test_importing_has_no_effect(tmp_path: Path) -> None:
    """No alias, no variable, no process, no thread; and lightwork itself does not load the face."""
    run(
        tmp_path,
        """
        import os, sys, threading
        variables = dict(os.environ)
        import lightwork
        from lightwork import Memory, Parallel, dump
        assert not [name for name in sys.modules if name.startswith("lightwork.compat")]
        import lightwork.compat.joblib
        import lightwork.compat
        assert "joblib" not in sys.modules and not lightwork.compat.installed()
        assert dict(os.environ) == variables and threading.active_count() == 1
        """,
    )


def _shape(signature: inspect.Signature) -> list[tuple[object, ...]]:
    return [(each.name, each.kind, repr(each.default)) for each in signature.parameters.values()]


def test_the_public_names() -> None:
    """The 20 of joblib, with the parameters and defaults they have there."""
    import joblib as real

    import lightwork.compat.joblib as face

    assert set(face.__all__) == set(real.__all__)
    assert face.__version__.split(".")[:2] == real.__version__.split(".")[:2]
    assert set(face.__all__) <= set(dir(face))
    for name in real.__all__:
        ours, theirs = (inspect.signature(getattr(module, name)) for module in (face, real))
        assert _shape(ours) == _shape(theirs), name
    with pytest.raises(AttributeError, match=r"lightwork\.compat\.joblib.*Parallell"):
        face.Parallell  # the access is the point


@pytest.mark.slow
def test_workers_inherit_it(tmp_path: Path) -> None:
    """Also those that were there before it was installed."""
    run(
        tmp_path,
        REAL
        + """
def look(_):
    import joblib
    return joblib.__name__, real(), os.getpid()

if __name__ == "__main__":
    import lightwork, lightwork.compat
    with lightwork.Parallel(n_jobs=2) as parallel:
        pids = set(parallel(lightwork.delayed(os.getpid)() for _ in range(4)))
        lightwork.compat.install()
        for name, files, pid in parallel(lightwork.delayed(look)(i) for i in range(4)):
            assert name == "lightwork.compat.joblib" and not files and pid != os.getpid(), (name, files)
    assert not real()
""",
    )


@pytest.mark.slow
def test_forked_children_have_it_and_spawned_ones_install_it(tmp_path: Path) -> None:
    """A spawned process runs the main module again, so an `install` at its top is there too."""
    run(
        tmp_path,
        """
        import multiprocessing
        from lightwork.compat import install
        install()

        def look(_):
            import joblib
            return joblib.__name__

        if __name__ == "__main__":
            for method in ("spawn", "fork", "forkserver"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    assert pool.map(look, [1]) == ["lightwork.compat.joblib"], method
        """,
    )


@pytest.mark.slow
def test_a_program_runs_as_python_would_run_it(tmp_path: Path) -> None:
    """Arguments, path, ``__main__``, functions of the program in workers, and its exit status."""
    program = """
        import os, sys
        import joblib, lightwork, pickle

        def double(x):
            return 2 * x

        if __name__ == "__main__":
            assert joblib.__name__ == "lightwork.compat.joblib"
            assert sys.argv == ["program.py", "--epochs", "3"], sys.argv
            assert sys.path[0] == os.path.dirname(os.path.abspath(__file__)), sys.path[0]
            assert pickle.loads(pickle.dumps(double)) is double
            assert lightwork.Parallel(n_jobs=2)(lightwork.delayed(double)(i) for i in range(3)) == [0, 2, 4]
            sys.exit(7)
        """
    run(tmp_path, program, "-m", "lightwork.compat", "program.py", "--epochs", "3", expected=7)


@pytest.mark.slow
def test_a_module_runs_and_no_module_is_said(tmp_path: Path) -> None:
    """``-m`` with a name, without one, and nothing at all."""
    run(
        tmp_path,
        "import joblib; assert joblib.__name__ == 'lightwork.compat.joblib'",
        *PROGRAM,
        "-m",
        "program",
    )
    assert "-m needs the name" in run(tmp_path, "", *PROGRAM, "-m", expected=2)
    assert "usage:" in run(tmp_path, "", *PROGRAM, expected=2)
    assert "usage:" in run(tmp_path, "", *PROGRAM, "--help")
    assert "--epochs" in run(tmp_path, "", *PROGRAM, "--epochs", "3", expected=2)


@pytest.mark.slow
def test_safe_path_keeps_its_first_entry(tmp_path: Path) -> None:
    """With ``-P`` Python puts nothing in front of the path, so nothing there is to be replaced."""
    program = "import sys; assert not any(part == sys.argv[1] for part in sys.path); import json, lightwork"
    run(tmp_path, program, "-P", *PROGRAM, "program.py", str(tmp_path))


@pytest.mark.slow
def test_pytest_runs_on_it(tmp_path: Path) -> None:
    """pytest's own import hook stands in front of ours and does not get in the way."""
    (tmp_path / "test_it.py").write_text(
        "import joblib\ndef test_it():\n    assert joblib.__name__ == 'lightwork.compat.joblib'\n"
    )
    out = run(tmp_path, "", *PROGRAM, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "1 passed" in out


@pytest.mark.slow
def test_from_a_zip(tmp_path: Path) -> None:
    """The alias asks the import system, not the file system."""
    package = Path(lightwork.__file__).parent
    copy = tmp_path / "copy" / "lightwork"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", copy.parent)
    shutil.rmtree(copy)
    run(
        tmp_path,
        f"""
        import sys
        sys.path.insert(0, {archive!r})
        import lightwork.compat
        assert lightwork.compat.__file__.startswith({archive!r})
        lightwork.compat.install()
        import joblib.disk
        assert joblib.disk.__file__.startswith({archive!r}) and joblib.disk.memstr_to_bytes("1K") == 1024
        """,
    )


@pytest.mark.slow
def test_a_module_beside_the_face_is_found_by_others(tmp_path: Path) -> None:
    """Somebody may give joblib a module of their own; ours do not hide it, nor what lies below it."""
    (tmp_path / "more" / "extra").mkdir(parents=True)
    (tmp_path / "more" / "extra" / "__init__.py").touch()
    (tmp_path / "more" / "extra" / "inner.py").write_text("from ..disk import mkdirp\n")
    run(
        tmp_path,
        """
        import sys
        from importlib.machinery import PathFinder
        from lightwork.compat import install
        class More:
            def find_spec(name, path=None, target=None):
                return PathFinder.find_spec(name, ["more"]) if name == "joblib.extra" else None
        sys.meta_path.append(More)
        face = install()
        import joblib.extra.inner
        assert joblib.extra.inner.mkdirp is face.disk.mkdirp
        assert install() is face
        """,
    )


@pytest.mark.slow
def test_metadata_is_that_of_the_installed_distribution(tmp_path: Path) -> None:
    """pip installed joblib, and pip's answer stays; the module tells whose interface it has."""
    run(
        tmp_path,
        """
        import importlib.metadata, importlib.resources
        from lightwork.compat import install
        install()
        import joblib
        assert importlib.metadata.version("joblib").split(".")[:2] == joblib.__version__.split(".")[:2]
        assert importlib.resources.files("joblib").joinpath("disk.py").is_file()
        """,
    )


SKLEARN = (
    REAL
    + """
def look(_):
    import sklearn.ensemble, sklearn.model_selection
    import joblib
    return joblib.__name__, real(), os.getpid(), sorted(n for n in sys.modules if n.split(".")[0] == "loky")

if __name__ == "__main__":
    {begin}
    import joblib
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    X, y = make_classification(random_state=0)
    forest = RandomForestClassifier(10, n_jobs=2, random_state=0).fit(X, y)
    alone = RandomForestClassifier(10, random_state=0).fit(X, y)
    assert (forest.predict_proba(X) == alone.predict_proba(X)).all()
    search = GridSearchCV(LogisticRegression(), {{"C": [0.1, 1.0]}}, n_jobs=2).fit(X, y)
    assert search.n_splits_ == 5
    cached = make_pipeline(StandardScaler(), LogisticRegression(), memory="cache")
    first, second = (cross_val_score(cached, X, y, n_jobs=2) for _ in range(2))
    assert (first == second).all()
    seen = joblib.Parallel(n_jobs=2)(joblib.delayed(look)(i) for i in range(4))
    assert {{name for name, *_ in seen}} == {{"lightwork.compat.joblib"}}, seen
    assert not any(files or loky for _, files, _, loky in seen), seen
    assert os.getpid() not in {{pid for *_, pid, _ in seen}}
    assert not real()
"""
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "command"),
    [
        ("import lightwork.compat; lightwork.compat.install()", ("program.py",)),
        ("pass", (*PROGRAM, "program.py")),
    ],
    ids=["install", "program"],
)
def test_joblib_itself_is_never_loaded_while_scikit_learn_runs(
    tmp_path: Path, begin: str, command: tuple[str, ...]
) -> None:
    """It is installed here, and neither the parent nor a worker loads a file of it."""
    run(tmp_path, SKLEARN.format(begin=begin), *command)
