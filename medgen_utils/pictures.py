"""A picture file -> 8-bit grey or RGB, or an error that names the file and a remedy. Used by `data.own_images`."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, ImageOps

BACKGROUNDS = {"black": (0, 0, 0, 255), "white": (255, 255, 255, 255)}
_GREY = ("1", "L", "LA", "La")
_DEEP = ("I", "F")  # and all that begin so, as I;16: more than 8 bits a channel, and how to scale them is your choice
_PLAIN = ("1", "L", "P", "RGB", "CMYK", "YCbCr", "LA", "La", "PA", "RGBA", "RGBa")
_BITS_OF_TIFF = 258  # the tag BitsPerSample


def read_picture(path: str | Path, background: str | None = None) -> Image.Image:
    """One still picture in mode L or RGB, turned upright as its EXIF says.

    ``background`` is "black" or "white": what shows through where a picture is transparent. ValueError where the file
    is no picture or damaged, holds more than one frame, has more than 8 bits a channel, or is transparent and no
    background is named: hidden parts of a picture hold anything. Palettes, 1 bit and CMYK are read as they look.
    """
    if background is not None and background not in BACKGROUNDS:
        raise ValueError(f"background={background!r}: choose from {', '.join(BACKGROUNDS)}")
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name the image in it")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} cannot be read as an image (0 bytes): copy it again or leave it out")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that decode in spite of odd metadata, and of large ones
            with Image.open(path) as opened:
                frames, bits = getattr(opened, "n_frames", 1), _bits(opened)
                if frames == 1 and bits <= 8:
                    picture = ImageOps.exif_transpose(opened)
                    picture.load()
    except Exception as error:  # decoders raise whatever the damage leads to, from OSError to struct.error
        raise ValueError(f"{path} cannot be read as an image ({error}): {_remedy(path)}") from error
    if frames > 1:
        raise ValueError(f"{path} holds {frames} frames: save the one you mean, or each as a file of its own")
    if bits > 8:
        raise ValueError(f"{path} has more than 8 bits a channel ({bits}): scale it to 8 bits, as your question needs")
    if picture.mode not in _PLAIN:
        raise ValueError(f"{path} has the colour mode {picture.mode}: save it as grey or RGB")
    return _opaque(path, picture, background)


def _bits(opened: Image.Image) -> int:
    """Bits a channel. PIL reads 16-bit colour as 8-bit colour without a word, so that the file's own say counts."""
    if opened.mode.startswith(_DEEP):
        return 32 if opened.mode in _DEEP else 16
    said = [8]
    if opened.format == "TIFF":
        found = opened.tag_v2.get(_BITS_OF_TIFF, 1)
        said += found if isinstance(found, tuple) else (found,)
    for tile in opened.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        said += [16 for argument in arguments if isinstance(argument, str) and ";16" in argument]
        if opened.format == "PPM":
            said += [argument.bit_length() for argument in arguments if isinstance(argument, int) and argument > 255]
    if opened.format == "JPEG2000":
        said.append(_bits_of_jpeg2000(Path(opened.filename)))
    return max(said)


def _bits_of_jpeg2000(path: Path) -> int:
    """From the SIZ marker: it begins with ff 4f ff 51, and the depth (less one) of the first channel is byte 42."""
    head = path.read_bytes()[:4096]
    at = head.find(b"\xff\x4f\xff\x51")
    return (head[at + 42] & 0x7F) + 1 if 0 <= at < len(head) - 42 else 8


def _opaque(path: Path, picture: Image.Image, background: str | None) -> Image.Image:
    mode = "L" if picture.mode in _GREY else "RGB"
    if not picture.has_transparency_data:
        return picture.convert(mode)
    layered = picture.convert("RGBA")
    lowest, _ = layered.getchannel("A").getextrema()
    if lowest == 255:
        return layered.convert(mode)
    if background is None:
        raise ValueError(
            f"{path} is transparent in parts: pass background='black' or 'white', or save it without alpha"
        )
    ground = Image.new("RGBA", layered.size, BACKGROUNDS[background])
    return Image.alpha_composite(ground, layered).convert(mode)


def _remedy(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom"):
        return "this is DICOM: export it as an 8-bit PNG with the window a reader would choose"
    if path.name.lower().endswith((".nii", ".nii.gz", ".mha", ".nrrd", ".svs", ".ndpi", ".mrxs")):
        return "this is a volume or a slide: export the part you mean as an 8-bit PNG"
    return "convert it or leave it out"
