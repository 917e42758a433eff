"""Does a file name the code that made it?"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from muzero_probe import provenance


def test_commit_of_the_checkout(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "core.hooksPath=/dev/null"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()

    def commit_of(file: Path) -> str:
        spec = importlib.util.spec_from_file_location("copied_provenance", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["copied_provenance"] = module
        try:
            spec.loader.exec_module(module)
            return module.commit()
        finally:
            del sys.modules["copied_provenance"]

    file = tmp_path / "muzero_probe" / "provenance.py"
    installed = tmp_path / "env" / "site-packages" / "muzero_probe" / "provenance.py"
    for copy in (file, installed):
        copy.parent.mkdir(parents=True)
        shutil.copy(provenance.__file__, copy)
    git("init", "-q")
    assert commit_of(file) == "unknown"
    git("add", "muzero_probe/provenance.py")
    git("commit", "-q", "-m", "first")
    git("tag", "v1")
    head = git("rev-parse", "HEAD")
    assert commit_of(file) == head
    file.write_text(file.read_text() + "\n")
    assert commit_of(file) == f"{head}-dirty"
    assert commit_of(installed) == "unknown"
