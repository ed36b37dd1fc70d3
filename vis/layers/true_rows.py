"""Where flags are set, asked of the device once for many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def true_rows(flags: Sequence[Tensor]) -> list[Tensor]:
    """Where each of `[N]` bool is set; waits for a GPU once, where `nonzero` would for each."""
    host = torch.cat(list(flags)).cpu().numpy()
    parts = np.split(host, np.cumsum([len(part) for part in flags])[:-1])
    rows = [np.flatnonzero(part) for part in parts]
    together = torch.from_numpy(np.concatenate(rows)).to(flags[0].device)
    return list(torch.split(together, [len(part) for part in rows]))
