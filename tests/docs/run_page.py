"""Run the blocks of one page, in order, as one program: ``python -m tests.docs.run_page PAGE``.

It runs in the current folder. The blocks share the names of a module ``__main__``, as the cells of a
notebook do.
"""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from types import CodeType, ModuleType

from tests.docs.blocks import ROOT, Block, blocks_of

_EXIT_CODE = re.compile(r"# exit code (\d+)")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def main(page: Path) -> int:
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.path.append(str(ROOT / "examples"))  # programs of the gallery may be imported
    for block in blocks_of(page):
        if block.reason:
            if block.language == "python":
                _compiled(block, page)
        elif block.language == "sh":
            _run_commands(block, page)
        elif ">>>" in block.code:
            if not _run_doctest(block, page, module):
                return 1
        else:
            exec(_compiled(block, page), module.__dict__)
    return 0


def _compiled(block: Block, page: Path) -> CodeType:
    """Under its own line numbers, so that tracebacks and `inspect` show the page."""
    return compile("\n" * (block.line - 1) + block.code, str(page), "exec", dont_inherit=True)


def _run_doctest(block: Block, page: Path, module: ModuleType) -> bool:
    test = doctest.DocTestParser().get_doctest(
        block.code + "\n", module.__dict__, page.name, str(page), block.line - 1
    )
    test.globs = module.__dict__  # itself, no copy: names are for the blocks that follow
    return doctest.DocTestRunner(optionflags=_FLAGS).run(test, clear_globs=False).failed == 0


def _run_commands(block: Block, page: Path) -> None:
    """The lines that call ``lightwork`` or run a script; others (pip, make, git) are for the reader."""
    environment = os.environ | {
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    }
    for offset, line in enumerate(block.code.splitlines()):
        if not line.startswith(("lightwork ", "python ")):
            continue
        command = line.replace("lightwork ", "python -m lightwork ", 1) if line[0] == "l" else line
        result = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
        )
        sys.stdout.write(result.stdout)
        expected = _EXIT_CODE.search(line)
        if result.returncode != (int(expected[1]) if expected else 0):
            sys.exit(
                f"{page.name}:{block.line + offset}: {line}: exit code {result.returncode}\n{result.stderr}"
            )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
