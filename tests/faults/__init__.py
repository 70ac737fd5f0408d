"""Kills, damaged caches, full disks, hostile names: what may happen to any run."""
