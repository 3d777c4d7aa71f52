"""Which window each step of a call falls in, and what holds for a window back onto steps and lower windows.

Each sequence of a batch counts its steps on its own: they may have started at different times. Where all stand at the
same step, windows are cut out of the sequence as it lies; elsewhere steps are gathered one by one, to the same result.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from mts3.kernels import traced
from mts3.types import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class Windows:
    """The windows that a call of T steps touches.

    Attributes:
        window_len: H.
        steps: T.
        before: (B,) steps of the first window that lie before the call, 0 <= before < H; on the CPU, for how many
            windows there are is asked before anything is computed.
        count: K.
        slots: Places in a window: H, or T where the call lies inside of one.
        first: What all of `before` are; None where they differ, and while a single step is drawn as a graph.
    """

    window_len: int
    steps: int
    before: Int[Tensor, " B"]
    count: int
    slots: int
    first: int | None

    @classmethod
    def of(cls, before: Int[Tensor, " B"], steps: int, window_len: int) -> Windows:
        """The windows of `steps` steps."""
        if steps == 1 and traced():  # inside the open window wherever that stands: no value is looked at
            return cls(window_len, 1, before, 1, 1, None)
        each = before.tolist()
        least, most = min(each), max(each)
        count = -(-(most + steps) // window_len)
        slots = steps if count == 1 else window_len
        return cls(window_len, steps, before, count, slots, least if least == most else None)

    @property
    def after(self) -> Int[Tensor, " B"]:
        """Steps taken in the window that is open after the call; 0 where the last one was closed."""
        return (self.before + self.steps) % self.window_len

    def starts(self) -> list[int]:
        """The steps of the call at which some sequence begins a window."""
        return sorted(
            {t for b in set(self.before.tolist()) for t in range(-b % self.window_len, self.steps, self.window_len)}
        )

    def phase(self, like: Tensor, plan: Float[Tensor, "B n A"] | None = None) -> Float[Tensor, "*B N"]:
        """(t mod H) / H of the steps of the call, then of those planned after it, also in a short last window."""
        number = self.steps + (0 if plan is None else plan.shape[1])
        if self.first is not None and self.first + number <= self.window_len:
            return torch.arange(self.first, self.first + number, dtype=like.dtype, device=like.device) / self.window_len
        index = torch.arange(number, device=like.device) + (self._column(like) if self.first is None else self.first)
        return (index % self.window_len).to(like.dtype) / self.window_len

    def cut(self, new: Float[Tensor, "B T F"], gathered: Float[Tensor, "B F"]) -> Float[Tensor, "B K S F"]:
        """What each step adds, in windows; `gathered` before the call sits where sums and running sums hold it."""
        if self.count > 1 and self.first is not None:
            earlier = pad(gathered[:, None], (0, 0, 0, self.first - 1))  # none at all if there were no steps before
            short = -(self.first + self.steps) % self.window_len
            return torch.cat((earlier, pad(new, (0, 0, 0, short))), 1).unflatten(1, (-1, self.window_len))
        if self.count > 1:
            step = torch.arange(self.count * self.window_len, device=new.device) - self._column(new)
            inside = (step >= 0) & (step < self.steps)
            new = torch.where(inside[..., None], take(new, step.clamp(0, self.steps - 1)), 0.0)
        begun = new[:, :1] + gathered[:, None]
        placed = begun if new.shape[1] == 1 else torch.cat((begun, new[:, 1:]), 1)
        return placed.unflatten(1, (self.count, self.slots))

    def holds(self, planned: Float[Tensor, "B n F"]) -> Bool[Tensor, "B n 1"]:
        """Which of the steps planned after the call fall into the window of its last step."""
        last = (self._column(planned) + self.steps - 1) % self.window_len
        ahead = torch.arange(1, planned.shape[1] + 1, device=planned.device)
        return (last + ahead < self.window_len)[..., None]

    def add_to_last(self, sums: Float[Tensor, "B K F"], extra: Float[Tensor, "B F"]) -> Float[Tensor, "B K F"]:
        """Sums over windows, with `extra` added to the window of the last step."""
        if self.count == 1:
            return sums + extra[:, None]
        if self.first is not None:
            return sums + pad(extra[:, None], (0, 0, self.count - 1, 0))
        last = (self._column(sums) + self.steps - 1) // self.window_len
        at_last = torch.arange(self.count, device=sums.device) == last
        return sums + torch.where(at_last[..., None], extra[:, None], 0.0)

    def last_closed(self, first: Float[Tensor, "B F"], each: Float[Tensor, "B K F"]) -> Float[Tensor, "B F"]:
        """What `each` window has, of the last one that is full; `first` where none is."""
        if self.first is not None:
            closed = (self.first + self.steps) // self.window_len
            return each[:, closed - 1] if closed else first
        if self.count == 1:
            return torch.where(self._closes(each), each[:, 0], first)
        closed = (self._column(each) + self.steps) // self.window_len
        return take(torch.cat((first[:, None], each), 1), closed)[:, 0]

    def still_open(self, sums: Float[Tensor, "B K F"]) -> Float[Tensor, "B F"]:
        """Sums over windows, of the one that is open after the call; zero where the last one is full."""
        if self.first is not None:
            closes = (self.first + self.steps) % self.window_len == 0
            return torch.zeros_like(sums[:, -1]) if closes else sums[:, -1]
        last = sums[:, 0]
        if self.count > 1:
            last = take(sums, (self._column(sums) + self.steps - 1) // self.window_len)[:, 0]
        return torch.where(self._closes(sums), 0.0, last)

    def at_steps(self, fields: Float[Tensor, "B K S F"]) -> Float[Tensor, "B T F"]:
        """What each window has, in a single slot or in one a step, at each step of the call."""
        if self.count == 1:
            return fields[:, 0].expand(-1, self.steps, -1)
        if self.first is not None:
            wide = fields.expand(-1, -1, self.window_len, -1) if fields.shape[2] == 1 else fields
            return wide.flatten(1, 2)[:, self.first : self.first + self.steps]
        step = torch.arange(self.steps, device=fields.device) + self._column(fields)
        return take(fields.flatten(1, 2), step // self.window_len if fields.shape[2] == 1 else step)

    def below(self, fields: Float[Tensor, "B K S F"], lower: Windows) -> Float[Tensor, "B k s F"]:
        """What each window has, over the shorter windows of a lower level, in a single slot or in one a step.

        A lower window that lies partly before or after the call has what holds at the step next to it.
        """
        if lower.count == 1:  # and hence one window here too
            return fields
        if fields.shape[2] > 1:
            slot = torch.arange(lower.count * lower.slots, device=fields.device)
            step = (slot - lower._column(fields)).clamp(0, self.steps - 1)
            return take(self.at_steps(fields), step).unflatten(1, (lower.count, lower.slots))
        end = (torch.arange(lower.count, device=fields.device) + 1) * lower.window_len
        last = (end - lower._column(fields)).clamp_max(self.steps) - 1
        return take(fields[:, :, 0], (self._column(fields) + last) // self.window_len).unsqueeze(2)

    def _closes(self, like: Tensor) -> Bool[Tensor, "B 1"]:
        """Whether the last step fills its window."""
        return (self._column(like) + self.steps) % self.window_len == 0

    def _column(self, like: Tensor) -> Int[Tensor, "B 1"]:
        """`before` beside the tensor it is used with."""
        return self.before.to(like.device)[:, None]


def take(fields: Float[Tensor, "B N F"], place: Int[Tensor, "B n"]) -> Float[Tensor, "B n F"]:
    """Rows of each sequence, chosen for each on its own."""
    return fields.gather(1, place[..., None].expand(*place.shape, fields.shape[-1]))
