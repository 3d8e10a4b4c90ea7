"""Exit with an error unless a wheel holds every file of the package, and nothing beside it."""

import sys
from pathlib import Path
from zipfile import ZipFile

PACKAGE = "melro_gym"


def main(wheel: str) -> str:
    """Compare the wheel with the checkout; the result is the message to print."""
    files = {path.as_posix() for path in Path(PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    if missing := sorted(files - packed):
        sys.exit(f"{wheel} lacks {missing}: see [options.package_data] in setup.cfg.")
    if extra := sorted(packed - files):
        sys.exit(f"{wheel} holds {extra}, which the checkout does not.")
    return f"{Path(wheel).name}: {len(packed)} files, as in the checkout"


print(main(sys.argv[1]))
