"""Reads GGUF files and describes them compactly. A reader of its own, so that nothing of the project checks itself."""
import hashlib
import mmap
import struct

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
# ggml's numbers of its types, with weights and bytes of a block (ggml.h, ggml-common.h).
TYPES = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24),
         8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
         14: ("Q6_K", 256, 210), 30: ("BF16", 1, 2)}


class GgufFile:
    """metadata: key to (type number, value or, for arrays, the raw bytes); tensors: name to (type, shape, offset, size)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, tensors, pairs = self.unpack("<4sIQQ", 0)
        assert (magic, version) == (b"GGUF", 3)
        self.at, self.metadata, self.tensors = 24, {}, {}
        for _ in range(pairs):
            key, kind = self.text().decode(), self.number("I")
            self.metadata[key] = (kind, self.value(kind))
        for _ in range(tensors):
            name, dimensions = self.text().decode(), self.number("I")
            shape = [self.number("Q") for _ in range(dimensions)][::-1]
            kind, weights, size = TYPES[self.number("I")]
            count = 1
            for dimension in shape:
                count *= dimension
            self.tensors[name] = (kind, shape, self.number("Q"), count // weights * size)
        self.data_at = -(-self.at // 32) * 32

    def unpack(self, layout, at):
        return struct.unpack_from(layout, self.data, at)

    def number(self, layout):
        self.at += struct.calcsize("<" + layout)
        return self.unpack("<" + layout, self.at - struct.calcsize("<" + layout))[0]

    def text(self):
        length = self.number("Q")
        self.at += length
        return self.data[self.at - length:self.at]

    def value(self, kind):
        if kind == STRING:
            return self.text().decode()
        if kind != ARRAY:
            return self.number(SCALARS[kind])
        begin, inner, count = self.at, self.number("I"), self.number("Q")
        for _ in range(count if inner == STRING else 0):
            self.text()
        if inner != STRING:
            self.at += count * struct.calcsize("<" + SCALARS[inner])
        return self.data[begin:self.at]

    def bytes_of(self, name):
        _, _, offset, size = self.tensors[name]
        return self.data[self.data_at + offset:self.data_at + offset + size]

    def strings(self, key):
        """The texts of an array of strings."""
        raw, at, out = self.metadata[key][1], 12, []
        while at < len(raw):
            length = struct.unpack_from("<Q", raw, at)[0]
            out.append(raw[at + 8:at + 8 + length])
            at += 8 + length
        return out


def describe_metadata(file):
    """Every key in the file's order; long values as digests. The file type, which differs between targets, is left out."""
    def short(kind, value):
        if kind == ARRAY:
            return hashlib.sha256(value).hexdigest()
        return hashlib.sha256(value.encode()).hexdigest() if kind == STRING and len(value) > 100 else value

    return {key: [kind, short(kind, value)] for key, (kind, value) in file.metadata.items() if key != "general.file_type"}


def describe_tensors(file):
    """Types by name, those of equal layers said once, and one digest of all names, types, shapes and bytes."""
    types, digest = {}, hashlib.sha256()
    for name in sorted(file.tensors):
        kind, shape, _, _ = file.tensors[name]
        parts = name.split(".")
        collapsed = ".".join("#" if part.isdigit() else part for part in parts)
        types.setdefault(collapsed, {})[int(parts[1]) if "#" in collapsed else 0] = kind
        digest.update(f"{name} {kind} {shape}\n".encode() + hashlib.sha256(file.bytes_of(name)).digest())
    rows = {}
    for name, layers in types.items():
        ordered = [layers[layer] for layer in sorted(layers)]
        rows[name] = ordered[0] if len(set(ordered)) == 1 else " ".join(ordered)
    return {"types": rows, "sha256": digest.hexdigest()}
