"""EEG and MEG, by objects and files of MNE and EEGLAB."""
