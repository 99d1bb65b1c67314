import logging
import subprocess
import sys

import pytest

from lightwork.system import log


def test_records_come_from_the_logger_of_the_library(caplog: pytest.LogCaptureFixture) -> None:
    """Level, text and place are those of the call."""
    with caplog.at_level(logging.INFO, "lightwork"):
        log.info("%d of %s", 3, "four")
        log.warning("beware")
    found = [(record.name, record.levelname, record.message, record.funcName) for record in caplog.records]
    here = "test_records_come_from_the_logger_of_the_library"
    assert found == [("lightwork", "INFO", "3 of four", here), ("lightwork", "WARNING", "beware", here)]


def test_without_handlers_nothing_is_shown() -> None:
    """No record loads `logging`, and Python's handler for want of one is left out."""
    code = (
        "import sys; from lightwork.system import log\n"
        "log.info('unseen'); log.warning('unseen'); assert 'logging' not in sys.modules\n"
        "import logging; log.warning('unseen')\n"
        "logging.getLogger('lightwork').addHandler(logging.StreamHandler()); log.warning('seen')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == "seen\n"
