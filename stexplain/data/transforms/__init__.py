"""From recordings of any length to batches of one size: sampling in time, place and direction, streams."""

from stexplain.data.transforms.alignment import center_and_augment as center_and_augment
from stexplain.data.transforms.alignment import facing_angle as facing_angle
from stexplain.data.transforms.alignment import horizontal_channels as horizontal_channels
from stexplain.data.transforms.alignment import sides_of as sides_of
from stexplain.data.transforms.frames import Augmentation as Augmentation
from stexplain.data.transforms.frames import Timeline as Timeline
from stexplain.data.transforms.frames import draw_augmentation as draw_augmentation
from stexplain.data.transforms.frames import plan_frames as plan_frames
from stexplain.data.transforms.frames import read_frames as read_frames
from stexplain.data.transforms.streams import stream_of as stream_of
