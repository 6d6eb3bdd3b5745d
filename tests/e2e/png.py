"""Just enough PNG for tests: 8-bit RGB without interlacing, as diptych writes it."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = 3


def chunks(data):
    if not data.startswith(SIGNATURE):
        raise ValueError("no PNG file")
    start = len(SIGNATURE)
    while start < len(data):
        (length,) = struct.unpack_from(">I", data, start)
        yield data[start + 4 : start + 8], data[start + 8 : start + 8 + length]
        start += length + 12


def paeth(left, up, corner):
    estimate = left + up - corner
    candidates = [(abs(estimate - value), order, value) for order, value in enumerate((left, up, corner))]
    return min(candidates)[2]


def unfilter(kind, line, above):
    row = bytearray(line)
    for i in range(len(row)):
        left = row[i - CHANNELS] if i >= CHANNELS else 0
        corner = above[i - CHANNELS] if i >= CHANNELS else 0
        up = above[i]
        row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]) % 256
    return row


def read(path):
    """Returns the rows of an image, each a bytes object of width x 3."""
    parts = list(chunks(path.read_bytes()))
    width, height, depth, colour, _, _, interlacing = struct.unpack(">IIBBBBB", dict(parts)[b"IHDR"])
    if (depth, colour, interlacing) != (8, 2, 0):
        raise ValueError("no plain 8-bit RGB image")
    data = zlib.decompress(b"".join(content for kind, content in parts if kind == b"IDAT"))
    stride = width * CHANNELS + 1
    rows = []
    above = bytes(width * CHANNELS)
    for y in range(height):
        line = data[y * stride : (y + 1) * stride]
        above = unfilter(line[0], line[1:], above)
        rows.append(bytes(above))
    return rows


def write(path, rows):
    """Writes the rows that `read` returns."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", len(rows[0]) // CHANNELS, len(rows), 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    path.write_bytes(SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def crop(rows, left, top, width, height):
    return [row[left * CHANNELS : (left + width) * CHANNELS] for row in rows[top : top + height]]
