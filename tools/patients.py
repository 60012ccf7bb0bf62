"""The full-resolution pictures of the data page, from the publishers' archives: ``python -m tools.patients FOLDER``.

FOLDER holds the archives, whole or as samples (``Dataset_BUSI*.zip``). Only sets whose licence lets us pass a picture
on: BUS-UCLM (CC BY-NC) is not among them. The pictures are grey or colour WebP at their own size.
"""

import io
import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from medgen_utils.data.prepared import read_members
from tools import ROOT

FOLDER = ROOT / "chapters" / "_static" / "patients"
LARGEST = 60_000  # bytes of one picture


class Picture(NamedTuple):
    """One picture of the page: its file, where it comes from, and what the page says of it."""

    name: str
    archive: str  # the beginning of the archive's name
    member: str  # the end of the name inside the archive
    domain: str
    alt: str
    credit: str


_BUSI = "BUSI, Al-Dhabyani et al. (2020), CC BY 4.0"
_BUSBRA = "BUS-BRA, Gómez-Flores et al. (2024), free to use when cited"
_BREAST = "BrEaST, Pawłowska et al. (2024), CC BY 4.0"
_MITOSIS = "AMi-Br and AtNorM, Bertram et al. (2025), Banerjee et al. (2026), MIT"

ULTRASOUND = (
    Picture(
        "cairo-benign.webp", "Dataset_BUSI", "benign/benign (11).png", "Cairo: benign",
        "Ultrasound of a breast: a small dark oval with a sharp border between bright layers, with white calipers.",
        _BUSI,
    ),
    Picture(
        "cairo-malignant.webp", "Dataset_BUSI", "malignant/malignant (16).png", "Cairo: malignant",
        "Ultrasound of a breast: a large dark mass without a clear border fills most of the picture.", _BUSI,
    ),
    Picture(
        "rio-logiq-7.webp", "BUSBRA", "Images/bus_0218-l.png", "Rio de Janeiro, GE Logiq 7: malignant",
        "Ultrasound of a breast: a dark blurred mass with calipers; a scale and Portuguese words are burned in.",
        _BUSBRA,
    ),
    Picture(
        "rio-logiq-5.webp", "BUSBRA", "Images/bus_0602-l.png", "Rio de Janeiro, GE Logiq 5: malignant",
        "Ultrasound of a breast: a grainy dark mass near the top, black below; the letters GE are burned in.",
        _BUSBRA,
    ),
    Picture(
        "rio-toshiba.webp", "BUSBRA", "Images/bus_1002-r.png", "Rio de Janeiro, Toshiba Aplio 300: malignant",
        "Ultrasound of a breast: two faint dark nodules on fine grey layers, a scale in centimetres on the right.",
        _BUSBRA,
    ),
    Picture(
        "rio-u-systems.webp", "BUSBRA", "Images/bus_0853-l.png", "Rio de Janeiro, U-Systems: malignant",
        "Ultrasound of a breast: a bright band with a black shadow below it; Portuguese words are burned in.", _BUSBRA,
    ),
    Picture(
        "poland-benign.webp", "BrEaST", "case020.png", "Poland: benign",
        "Ultrasound of a breast: a small dark oval with a sharp border, brighter tissue below it.", _BREAST,
    ),
    Picture(
        "poland-malignant.webp", "BrEaST", "case008.png", "Poland: malignant",
        "Ultrasound of a breast: a dark irregular nodule with a blurred border in streaked tissue.", _BREAST,
    ),
)  # fmt: skip
MITOSIS = tuple(
    Picture(f"mitosis-{name}.webp", "AMi-Br", member, domain, f"A dividing cell under the microscope: {alt}.", _MITOSIS)
    for name, member, domain, alt in (
        (
            "hamamatsu-xr", "AMi-Br/Atypical/MIDOG21_466.png", "MIDOG21-HamamatsuXR",
            "a dark blue bar of chromosomes with small pieces apart, in bright violet tissue",
        ),
        (
            "hamamatsu-s360", "AMi-Br/Atypical/MIDOG21_1793.png", "MIDOG21-HamamatsuS360",
            "a dark purple clump of chromosomes beside red blood cells, in pink tissue",
        ),
        (
            "aperio-cs2", "AMi-Br/Atypical/MIDOG21_3645.png", "MIDOG21-AperioCS2",
            "a small dark clump of chromosomes in pale brown and pink tissue",
        ),
        (
            "tupac16", "AMi-Br/Atypical/TUPAC16_4140.png", "TUPAC16",
            "an irregular clump of chromosomes below a white gap, in strong purple tissue",
        ),
        (
            "tcga-brca", "AtNorM-Br/Atypical/241.png", "TCGA-BRCA",
            "black chromosomes with three points, sharp, in violet and pink tissue",
        ),
        (
            "midog-plus-plus", "AtNorM-MD/Atypical/*.png", "MIDOG++",
            "a black cross of chromosomes in a pale cell, brown and red tissue around it",
        ),
    )
)  # fmt: skip


def cut(picture: Picture, folder: Path) -> bytes:
    """The picture as WebP; FileNotFoundError where ``folder`` has no archive with it, ValueError above 60 kB."""
    end = picture.member.replace("*.png", "")
    for archive in sorted(folder.glob(f"{picture.archive}*")):
        if not archive.name.endswith((".zip", ".tar.gz")):
            continue
        for name, content in read_members(archive, lambda name: end in name and name.endswith(".png")):
            image = Image.open(io.BytesIO(content))
            grey = picture in ULTRASOUND
            stream = io.BytesIO()
            image.convert("L" if grey else "RGB").save(stream, "WEBP", quality=72 if grey else 92, method=6)
            if stream.tell() > LARGEST:
                raise ValueError(f"{picture.name} from {name} has {stream.tell():,} bytes: choose a smaller picture")
            return stream.getvalue()
    raise FileNotFoundError(f"no archive {picture.archive}* in {folder} holds {picture.member}")


def main(folder: Path) -> None:
    """Write all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for picture in (*ULTRASOUND, *MITOSIS):
        (FOLDER / picture.name).write_bytes(cut(picture, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
