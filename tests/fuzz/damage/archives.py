"""Arrays and archives of arrays: their values and their headers."""

import io
import json
import random
import re
import zipfile

import numpy as np

from tests.fuzz.damage.values import changed, changed_array


def damaged_npy(content: bytes, draw: random.Random, marker: str) -> bytes:
    if draw.random() < 0.3:
        made = io.BytesIO()
        np.save(made, changed_array(np.load(io.BytesIO(content), allow_pickle=False), draw))
        return made.getvalue()
    length = int.from_bytes(content[8:10], "little")
    header, rest = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    shape = draw.choice(
        ("(1000000000000,)", "(4611686018427387904, 4)", "(-1,)", "()", "(0,)", "(3,)", "('a',)",
         "(10000, 10000, 10000)", "(1e3,)", "None", "(" + "1, " * 100 + ")")
    )  # fmt: skip
    kind = draw.choice(("|O", "<U1000000000", "<f8", "<i1", "<c16", "V0", "M8[ns]", "[('a', '<f4')]", "garbage", "|S0"))
    if draw.random() < 0.6:
        header = re.sub(r"'shape': \([^)]*\)", f"'shape': {shape}", header)
    else:
        header = re.sub(r"'descr': '[^']*'", f"'descr': {kind if kind[0] == '[' else repr(kind)}", header)
    header = header.rstrip() + "\n"
    return content[:8] + len(header).to_bytes(2, "little") + header.encode("latin1") + rest


def damaged_npz(content: bytes, draw: random.Random, marker: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(sorted(members))
    action = draw.randrange(6)
    if action == 0:
        members[draw.choice(("../../x.npy", "/tmp/x.npy", "x.npy", "data.txt", ""))] = members.pop(name)
    elif action == 1:
        members[name] = members[name] + b"\x00" * 4_000_000
    else:
        members[name] = damaged_npy(members[name], draw, marker) if action < 5 else members[name][: draw.randrange(200)]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, data in members.items():
            archive.writestr(member or "empty", data)
    return made.getvalue()


def damaged_safetensors(content: bytes, draw: random.Random) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    text = json.dumps(changed(header, draw)).encode("utf-8", "replace")
    if draw.random() < 0.2:
        return draw.choice((2**63, 2**40, 0, 3)).to_bytes(8, "little") + text + content[8 + length :]
    return len(text).to_bytes(8, "little") + text + content[8 + length :]
