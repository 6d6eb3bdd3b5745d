#!/usr/bin/env python3
"""A reward program for diptych: the mean brightness of the picture, in [0, 1].

Requests come in on standard input and answers go out on standard output, one JSON object a line (see README.md).
Standard library only.
"""

import json
import struct
import sys
import zlib


def png_pixels(path):
    """The bytes of an 8-bit RGB PNG file without interlacing, as diptych writes them."""
    with open(path, "rb") as file:
        data = file.read()
    place, compressed = 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        body = data[place + 8:place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if (depth, colour, interlace) != (8, 2, 0):
                raise ValueError("not an 8-bit RGB picture")
        if kind == b"IDAT":
            compressed += body
        place += length + 12
    rows, size = zlib.decompress(compressed), 3 * width
    pixels, above = bytearray(), bytes(size)
    for y in range(height):
        start = y * (size + 1)
        above = unfiltered(rows[start], rows[start + 1:start + 1 + size], above)
        pixels += above
    return pixels


def unfiltered(kind, row, above):
    """A row of a PNG file with its filter undone; every byte was stored less a guess from its neighbours."""
    result = bytearray(row)
    for x in range(len(row)):
        left = result[x - 3] if x >= 3 else 0
        corner = above[x - 3] if x >= 3 else 0
        up = above[x]
        nearest = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
        guess = (0, left, up, (left + up) // 2, nearest)[kind]
        result[x] = (row[x] + guess) & 255
    return result


def score(request):
    if request["image"] is None:
        raise ValueError("there is no picture")
    pixels = png_pixels(request["image"])
    brightness = sum(pixels) / (255 * len(pixels))
    return {"score": brightness, "checks": {"darkest": min(pixels) / 255, "brightest": max(pixels) / 255}}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = score(request)
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps({"id": request["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
