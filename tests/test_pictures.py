"""Every kind of picture is read as it looks, or refused with the file and a remedy."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgen_utils.pictures import read_picture

COLOUR = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
PICTURE = Image.fromarray(COLOUR)
GREY = PICTURE.convert("L")


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tga", "a.ppm", "a.webp", "a.jp2"])
@pytest.mark.parametrize("picture", [PICTURE, GREY], ids=["colour", "grey"])
def test_lossless_pictures_keep_every_value(tmp_path, name, picture):
    if picture is GREY and name.endswith(("webp", "ppm")):
        picture = PICTURE
    options = {"lossless": True} if name.endswith("webp") else {}
    picture.save(tmp_path / name, **options)
    found = read_picture(tmp_path / name)
    assert found.mode == picture.mode
    np.testing.assert_array_equal(np.asarray(found), np.asarray(picture))


def test_jpeg_of_each_kind_is_near(tmp_path):
    smooth = Image.fromarray(np.linspace(0, 255, 256, dtype=np.uint8).reshape(16, 16)).convert("RGB")
    for name, picture, options in (
        ("plain.jpg", smooth, {}),
        ("progressive.jpg", smooth, {"progressive": True}),
        ("cmyk.jpg", smooth.convert("CMYK"), {}),
    ):
        picture.save(tmp_path / name, quality=95, **options)
        difference = np.asarray(read_picture(tmp_path / name), int) - np.asarray(smooth, int)
        assert np.abs(difference).mean() < 4, name


def test_one_bit_and_palettes_are_read_as_they_look(tmp_path):
    GREY.convert("1").save(tmp_path / "bit.png")
    assert set(np.unique(np.asarray(read_picture(tmp_path / "bit.png")))) == {0, 255}
    palette = PICTURE.convert("P")
    palette.save(tmp_path / "palette.gif")
    found = read_picture(tmp_path / "palette.gif")
    np.testing.assert_array_equal(np.asarray(found), np.asarray(palette.convert("RGB")))


def test_a_picture_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    Image.fromarray(COLOUR[:8]).save(tmp_path / "turned.png", exif=exif)
    assert read_picture(tmp_path / "turned.png").size == (8, 16)


def transparent(mode: str) -> Image.Image:
    """The left half shows, the right half hides other values."""
    picture = PICTURE.convert("LA" if mode == "LA" else "RGBA")
    alpha = Image.fromarray(np.repeat(np.uint8([255] * 8 + [0] * 8)[None], 16, 0))
    picture.putalpha(alpha)
    return picture


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_hidden_parts_never_appear(tmp_path, mode):
    transparent(mode).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png is transparent in parts: pass background='black' or 'white'"):
        read_picture(tmp_path / "a.png")
    for background, value in (("black", 0), ("white", 255)):
        found = read_picture(tmp_path / "a.png", background)
        assert found.mode == ("L" if mode == "LA" else "RGB")
        assert (np.asarray(found)[:, 8:] == value).all()
        np.testing.assert_array_equal(np.asarray(found)[:, :8], np.asarray(PICTURE.convert(found.mode))[:, :8])
    with pytest.raises(ValueError, match="choose from black, white"):
        read_picture(tmp_path / "a.png", "pink")


def test_transparent_colours_of_palettes_and_keys_count_too(tmp_path):
    palette = PICTURE.convert("P")
    palette.save(tmp_path / "palette.png", transparency=int(np.asarray(palette)[0, 0]))
    PICTURE.save(tmp_path / "key.png", transparency=tuple(int(v) for v in COLOUR[0, 0]))
    GREY.save(tmp_path / "grey.png", transparency=int(np.asarray(GREY)[0, 0]))
    for name in ("palette.png", "key.png", "grey.png"):
        with pytest.raises(ValueError, match="transparent"):
            read_picture(tmp_path / name)


def test_alpha_that_hides_nothing_is_dropped(tmp_path):
    PICTURE.convert("RGBA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(read_picture(tmp_path / "a.png")), COLOUR)


def png16(path: Path) -> None:
    """A colour PNG of 16 bits a channel, which PIL cannot write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + b"\x0f\xff" * 12 for _ in range(4))
    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b""))


def test_more_than_8_bits_are_refused_in_every_format(tmp_path):
    deep = Image.fromarray(np.full((4, 4), 40000, np.uint16))
    for name in ("grey.png", "grey.tif", "grey.jp2"):
        deep.save(tmp_path / name)
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "float.tif")
    png16(tmp_path / "colour.png")
    (tmp_path / "colour.ppm").write_bytes(b"P6\n2 2\n4095\n" + b"\x01\x02" * 12)
    for path in tmp_path.iterdir():
        with pytest.raises(ValueError, match="more than 8 bits a channel"):
            read_picture(path)


def test_several_frames_are_refused(tmp_path):
    for name in ("moving.gif", "stack.tif", "moving.png"):
        PICTURE.save(tmp_path / name, save_all=True, append_images=[Image.new("RGB", (16, 16))])
        with pytest.raises(ValueError, match="holds 2 frames"):
            read_picture(tmp_path / name)


def test_what_is_no_picture_has_a_remedy_of_its_kind(tmp_path):
    (tmp_path / "scan.dcm").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "scan").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "brain.nii.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "nothing.png").write_bytes(b"")
    (tmp_path / "text.png").write_bytes(b"a text")
    PICTURE.convert("LAB").save(tmp_path / "lab.tif")
    for name, words in (
        ("scan.dcm", "DICOM"),
        ("scan", "DICOM"),
        ("brain.nii.gz", "volume"),
        ("nothing.png", "0 bytes"),
        ("text.png", "leave it out"),
        ("lab.tif", "colour mode LAB"),
    ):
        with pytest.raises(ValueError, match=words):
            read_picture(tmp_path / name)
    with pytest.raises(ValueError, match="is a folder"):
        read_picture(tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp", "a.tif", "a.jpg", "a.webp", "a.ppm"])
def test_a_damaged_picture_is_refused_or_read_and_nothing_else(tmp_path, name):
    PICTURE.save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole[: int(rng.integers(9, len(whole) + 1))])
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
        (tmp_path / name).write_bytes(bytes(data))
        try:
            assert read_picture(tmp_path / name).mode in ("L", "RGB")
        except ValueError as error:
            assert name in str(error)
