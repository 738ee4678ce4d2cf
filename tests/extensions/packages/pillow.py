# SPDX-License-Identifier: MIT
import hashlib
import io

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, UnidentifiedImageError


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def through(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    file.seek(0)
    with Image.open(file) as opened:
        return opened.format, opened.size, opened.mode, digest(opened.convert("RGB"))


def smoke():
    image = Image.radial_gradient("L").resize((64, 48), Image.Resampling.LANCZOS).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((5, 5, 40, 40), fill="red", outline=(0, 0, 255))
    draw.text((4, 20), "text", font=ImageFont.load_default(), fill="white")
    try:
        Image.open(io.BytesIO(b"no image"))
    except UnidentifiedImageError as error:
        refused = type(error).__name__
    return {
        "drawn": digest(image),
        "blurred": digest(image.filter(ImageFilter.GaussianBlur(2))),
        "turned": digest(image.rotate(30, expand=True)),
        "quantized": len(image.quantize(8).getcolors()),
        "difference": ImageChops.difference(image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).getbbox(),
        "histogram": sum(image.histogram()),
        "files": [through(image, kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")],
        "merged": digest(Image.merge("RGB", image.split()[::-1])),
        "pixel": image.getpixel((20, 8)),
        "point": digest(image.point(lambda value: 255 - value)),
        "refused": refused,
    }
