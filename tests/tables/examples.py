"""A small table and its archives, for the tests of this folder."""

import bz2
import gzip
import io
import lzma
import zipfile

TEXT = "image,hospital,p\nk1,K\u00f6ln,0.25\nk2,NA,1e-3\n"
ROWS = [["k1", "K\u00f6ln", "0.25"], ["k2", "NA", "1e-3"]]


def zipped(data: bytes, *names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("predictions.csv",):
            archive.writestr(name, data)
    return file.getvalue()


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": zipped}
