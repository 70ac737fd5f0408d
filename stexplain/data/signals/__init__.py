"""Ways in for signals of one's own that are no skeletons: EEG, brain regions, and networks of sensors.

One module per format, and three calls: `load_eeg`, `load_regions` and `load_sensors`, which finds the format of a file
or folder by its names. `formats` lists them all.
"""
