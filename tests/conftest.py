"""What holds for every test: seeded properties, no leftovers, no influence from the shell it runs in."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# `ci` (where CI is set): the same examples every time, so that a red run can be run again. `dev`: new
# ones each time, failures replayed. No deadlines: the first call of a kernel compiles it.
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

# Tests and their subprocesses run in other folders than the shell: its relative paths must still hold.
for _name in ("PYTHONPATH", "TAMIS_DATA"):
    if os.environ.get(_name):
        os.environ[_name] = os.pathsep.join(str(Path(part).absolute()) for part in os.environ[_name].split(os.pathsep))


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, where stores and outputs may go, without the shell's settings."""
    for name in list(os.environ):
        if name.startswith("TAMIS_") and name != "TAMIS_DATA":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
