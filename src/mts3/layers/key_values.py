"""What an attention layer remembers of past steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from mts3.types import Float, Tensor


@dataclass(frozen=True)
class KeyValues:
    """Keys and values of the last S steps; never changed.

    Attributes:
        keys, values: (B, N, S, C) for N heads of C features.
    """

    keys: Float[Tensor, "B N S C"]
    values: Float[Tensor, "B N S C"]

    def append(self, keys: Float[Tensor, "B N T C"], values: Float[Tensor, "B N T C"]) -> KeyValues:
        """With T more steps."""
        return KeyValues(_joined(self.keys, keys), _joined(self.values, values))

    def last(self, steps: int) -> KeyValues:
        """At most the last `steps`."""
        first = max(0, self.keys.shape[2] - steps)
        return KeyValues(self.keys[:, :, first:], self.values[:, :, first:])

    def with_room(self, steps: int) -> RolloutBuffer:
        """A copy to which `steps` more can be appended without copying again."""
        batch, heads, past, features = self.keys.shape
        store = self.keys.new_empty(2, batch, heads, past + steps, features)
        store[0, :, :, :past], store[1, :, :, :past] = self.keys, self.values
        return RolloutBuffer(store[0, :, :, :past], store[1, :, :, :past], store, past)

    def settled(self) -> KeyValues:
        """Holding no more memory than it shows, for a state."""
        return KeyValues(self.keys.contiguous(), self.values.contiguous())


@dataclass(frozen=True)
class RolloutBuffer(KeyValues):
    """Keys and values with room behind them, for one rollout without gradient.

    `append` writes into the room: appending twice to the same record overwrites, so it never leaves the rollout.

    Attributes:
        store: Keys and values with the room, (2, B, N, capacity, C).
        end: Steps of the store in use.
    """

    store: Float[Tensor, "2 B N capacity C"]
    end: int

    def append(self, keys: Float[Tensor, "B N T C"], values: Float[Tensor, "B N T C"]) -> RolloutBuffer:
        """With T more steps, in place."""
        end = self.end + keys.shape[2]
        # Under autocast the past may have been kept in another precision: the first call of a rollout converts it.
        into = replace(self, store=self.store.to(keys.dtype))
        into.store[0, :, :, self.end : end], into.store[1, :, :, self.end : end] = keys, values
        return into._showing(self.end - self.keys.shape[2], end)

    def last(self, steps: int) -> RolloutBuffer:
        """At most the last `steps`."""
        return self._showing(self.end - min(steps, self.keys.shape[2]), self.end)

    def _showing(self, first: int, end: int) -> RolloutBuffer:
        return RolloutBuffer(self.store[0, :, :, first:end], self.store[1, :, :, first:end], self.store, end)


def _joined(past: Tensor, new: Tensor) -> Tensor:
    """Under autocast the past may have been kept in another precision."""
    return torch.cat((past.to(new.dtype), new), 2)
