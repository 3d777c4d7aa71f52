"""Where the recordings of papers are, for who asks for them by name.

These are the addresses that the authors' own repositories name. No checksum has been published and a share may change,
so nothing is downloaded from here in silence: the user saves the file, and the reader of pickles, which runs none,
says whether it is what it should be.
"""

from __future__ import annotations

PAM = "https://github.com/ALRhub/action-conditional-rkn, in its folder data/PAMData/Data2"
_SHARE = "https://bwsyncandshare.kit.edu/s"
# From ALRhub/MTS3, dataFolder/mts3_datasets_processed/readme.md: one pickled dictionary each.
MTS3 = {
    "halfcheetah": f"{_SHARE}/LY662F3yxWxA99Z/download",
    "kitchen": f"{_SHARE}/Hnma3nj47NnJsEs/download",
    "maze2d": f"{_SHARE}/SmRYcDj9HnSx97r/download",
    "mobile_robot": f"{_SHARE}/nNkQfMGtZgkGjJJ/download",
}
_WORDS = {"cheetah": "halfcheetah", "kitchen": "kitchen", "maze": "maze2d", "mobile": "mobile_robot"}


def how_to_get(name: str) -> str:
    """What to do for a recording called `name` that is none of our sets, in a sentence."""
    known = next((ours for word, ours in _WORDS.items() if word in name.lower()), None)
    if known is None:
        return "A recording of your own, or a published one that you have saved, is read with data.path=FILE."
    return (
        f"The MTS3 paper's own recording is at {MTS3[known]} (no checksum is published): save it as {known}.pkl, then "
        f"data.path={known}.pkl, or mts3 data import {known}.pkl output={known}.npz; {known} is ours, simulated anew."
    )
