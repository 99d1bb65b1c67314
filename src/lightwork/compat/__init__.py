"""Other libraries' faces on lightwork. Nothing below imports this package.

``import lightwork.compat.joblib as joblib`` in one module, ``lightwork.compat.install()`` for a whole process
before anything imports joblib, or ``python -m lightwork.compat script.py`` for a whole program.
"""

from .alias import install, installed, uninstall

__all__ = ["install", "installed", "uninstall"]
