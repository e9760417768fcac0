"""Reads safetensors as they lie in the file."""
import json


def read(folder):
    """(dtype, shape, bytes) by name, over all shards of a folder."""
    out = {}
    for path in sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        begin = 8 + int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8:begin]).items():
            if name != "__metadata__":
                first, last = entry["data_offsets"]
                out[name] = (entry["dtype"], entry["shape"], data[begin + first:begin + last])
    return out
