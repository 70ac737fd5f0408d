"""Small recordings of skeletons, and files that hold them, for the tests."""

import numpy as np

import stexplain as stx
from tests.data.skeleton_files import body, write_ntu

COCO = stx.STGraph.skeleton("coco-17")

LINE = stx.STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")])


def walk(frames, joints, channels=2, seed=0, at=0.0):
    """A body as wide as 0.3 of its height that moves, ``[frames, joints, channels]``."""
    random = np.random.default_rng(seed)
    size = np.array([0.3, 1.0, 0.3])[:channels]
    start = random.uniform(0.1, 1, size=(joints, channels)) * size
    start[:, 1] = np.linspace(0.1, 1, joints)
    return (start + at + random.normal(0, 0.02, size=(frames, joints, channels)).cumsum(0)).astype(np.float32)


def skeletons(folder, names):
    values = {name: body(20, number) for number, name in enumerate(names)}
    for name, one in values.items():
        write_ntu(folder, name, {4: one})
    return values


def tidy(path, *, score=None, drop=()):
    rows = ["sample,frame,person,joint,x,y,score,label,subject"]
    values = {}
    for number, sample in enumerate(("a", "b")):
        values[sample] = one = walk(5, 3, seed=number)
        for frame, joint in np.ndindex(5, 3):
            if (sample, frame, joint) not in drop:
                confidence = 1.0 if score is None else score[frame, joint]
                x, y = one[frame, joint]
                name = LINE.nodes[joint]
                rows.append(
                    f"{sample},{frame + 10},0,{name},{x:.9g},{y:.9g},{confidence},{'up' if number else 'down'},{number}"
                )
    path.write_text("\n".join(rows) + "\n")
    return values


def annotation(name, label, seed, persons=1):
    keypoint = np.stack([walk(9, 17, seed=seed + person, at=2 * person) for person in range(persons)])
    return {
        "frame_dir": name, "label": label, "img_shape": (1080, 1920), "original_shape": (1080, 1920), "total_frames": 9,
        "keypoint": keypoint.astype(np.float16), "keypoint_score": np.full(keypoint.shape[:3], 0.9, np.float16),
    }  # fmt: skip


BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Leg
  {
    OFFSET 0 -2 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Foot
    {
      OFFSET 0 -1 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 0 1
      }
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.025
1 2 3 0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 0 0 0 0
0 0 0 0 0 0 0 90 0 0 0 0
"""
