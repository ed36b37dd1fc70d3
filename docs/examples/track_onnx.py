"""Track a film with an exported model: `python track_onnx.py FOLDER FILM`.

Needs onnxruntime, numpy and av. FOLDER is what `vis export` wrote. An object goes on with the
number of that object of the frame before whose mask it overlaps most. Prints a line for each.
"""

import json
import sys
from pathlib import Path

import av
import numpy as np
import onnxruntime

LEAST_SCORE, LEAST_OVERLAP = 0.4, 0.3
folder, film = Path(sys.argv[1]), sys.argv[2]
card = json.loads((folder / "card.json").read_text())
session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
names = [output["name"] for output in card["outputs"]]
frames, _, height, width = card["inputs"][0]["shape"]
before, count = {}, 0  # number of an object -> its mask in the last frame; objects so far

with av.open(film) as container:
    for index, frame in enumerate(container.decode(video=0)):
        picture = frame.reformat(width, height, format="rgb24", interpolation="AREA").to_ndarray()
        clip = np.repeat(picture.transpose(2, 0, 1)[None] / np.float32(255), frames, axis=0)
        fields = dict(zip(names, session.run(None, {"frames": clip}), strict=True))
        now = {}
        for row in np.argsort(-fields["scores"], kind="stable"):
            if fields["scores"][row] < LEAST_SCORE:
                break
            mask = fields["masks"][row, -1] > 0.5
            overlaps = {
                number: (mask & other).sum() / max(1, (mask | other).sum())
                for number, other in before.items()
                if number not in now
            }
            number = max(overlaps, key=overlaps.get, default=None)
            if number is None or overlaps[number] < LEAST_OVERLAP:
                count += 1
                number = count
            now[number] = mask
            name = card["classes"][fields["labels"][row]]
            print(index, number, name, f"{fields['scores'][row]:.2f}", *fields["boxes"][row, -1])
        before = now
