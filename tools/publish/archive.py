"""Pack the built site into one file that opens from the disk: `make zip`."""

import sys
import zipfile
from pathlib import Path

from tools import ROOT, SITE
from tools.address import wanted

LEFT_OUT = {".buildinfo", "objects.inv", "robots.txt", "sitemap.xml"}  # for servers, not for readers


def pack(site: Path, target: Path) -> Path:
    """Write the zip file ``target``; its files lie in one folder of the same name. Unzip it and open index.html."""
    files = sorted(path for path in site.rglob("*") if path.is_file() and path.name not in LEFT_OUT)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, Path(target.stem) / path.relative_to(site))
    return target


if __name__ == "__main__":
    if not SITE.is_dir():
        sys.exit("The site is not built: run `make book` first.")
    written = pack(SITE, ROOT / "_build" / f"medgen-book-{wanted().version}.zip")
    print(f"{written} ({written.stat().st_size / 1e6:.1f} MB): unzip it and open index.html")
