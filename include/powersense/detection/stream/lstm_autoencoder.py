"""LSTM autoencoder: a series' last rows pressed through a narrow code and drawn again; what it cannot draw is unusual.

The encoder reads a window in its order, the decoder draws it backwards, so that the row that is judged comes first and
scoring draws no more than that. Each feature's error counts in units of its usual error.

Source: P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection", ICML workshop, 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from powersense.detection.stream.model_arrays import checked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = dict[str, jax.Array]

# Sizes to which a batch is filled up: each is compiled once, on its first use.
BUCKETS = (32, 256, 1024, 2048)
_TRAINING_BATCH = 128
_OPTIMISER = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())
# In deviations of a feature: one that hardly ever moves is drawn almost exactly, and would else outweigh all others.
_LEAST_ERROR = 0.1
_WEIGHTS = {
    "encoder_input": 2,
    "encoder_state": 2,
    "encoder_bias": 1,
    "code": 2,
    "decoder_input": 2,
    "decoder_state": 2,
    "decoder_bias": 1,
    "output": 2,
    "output_bias": 1,
}


@dataclass
class LstmAutoencoder:
    """The network; an instance of `interface.StreamModel`.

    Attributes:
        window: rows of one series that it reads.
        units: of each of its two LSTM layers.
        code: width of what passes between them.
        most_steps: of training, each on 128 windows.
        passes: over the windows, where this takes fewer steps.
        learning_rate: of Adam.
    """

    window: int = 12
    units: int = 48
    code: int = 8
    most_steps: int = 1000
    passes: int = 20
    learning_rate: float = 0.01
    name: str = field(default="lstm_autoencoder", init=False)

    def fit(self, rows: NDArray[np.float64], windows: NDArray[np.intp], *, seed: int) -> None:
        """Train the network; see `interface.StreamModel.fit`."""
        rng = np.random.default_rng(seed)
        known = rows.astype(np.float32)
        weights = _initial(rng, known.shape[1], units=self.units, code=self.code)
        # Only the shapes of the optimiser's state are asked of it: making its zeros one by one compiles each.
        shapes = jax.eval_shape(_OPTIMISER.init, weights)
        state = jax.tree.map(lambda each: np.zeros(each.shape, each.dtype), shapes)
        steps = min(self.most_steps, -(-self.passes * len(windows) // _TRAINING_BATCH))
        for step in range(steps):
            batch = known[windows[rng.integers(0, len(windows), _TRAINING_BATCH)]]
            # Falls from its full value to nothing along half a cosine wave.
            rate = self.learning_rate * (1 + np.cos(np.pi * step / steps)) / 2
            weights, state = _train(weights, state, batch, rate)
        self._weights = {name: np.asarray(weight) for name, weight in weights.items()}
        some = windows[np.sort(rng.permutation(len(windows))[:8192])]
        error = self._errors(known[some])
        # Nine tenths of a normal distribution lie within 1.645 deviations: a measure that no outlier moves.
        usual = np.quantile(np.abs(error), 0.9, axis=0) / 1.645
        self._usual_error = np.maximum(usual, _LEAST_ERROR).astype(np.float32)

    def raw_scores(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the root mean square of the last row's errors, each in units of its usual one."""
        error = self._errors(windows.astype(np.float32)) / self._usual_error
        return np.asarray(np.sqrt((error.astype(np.float64) ** 2).mean(axis=1)))

    def _errors(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = [np.empty((0, windows.shape[2]), np.float32)]
        for at in range(0, len(windows), BUCKETS[-1]):
            part = windows[at : at + BUCKETS[-1]]
            size = next(bucket for bucket in BUCKETS if bucket >= len(part))
            padded = np.zeros((size, *windows.shape[1:]), np.float32)
            padded[: len(part)] = part
            parts.append(np.asarray(_last_error(self._weights, padded))[: len(part)])
        return np.concatenate(parts)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights; see `interface.StreamModel.to_arrays`."""
        return {**self._weights, "usual_error": self._usual_error, "window": np.array(self.window)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the network; see `interface.StreamModel.from_arrays`."""
        wanted = {**_WEIGHTS, "usual_error": 1, "window": 0}
        found = checked(arrays, wanted, {**dict.fromkeys(wanted, "f4"), "window": "i8"})
        model = cls(window=int(found["window"]), units=len(found["encoder_state"]), code=found["code"].shape[1])
        model._weights = {name: found[name] for name in _WEIGHTS}
        model._usual_error = found["usual_error"]
        return model


def _initial(rng: np.random.Generator, features: int, *, units: int, code: int) -> dict[str, Any]:
    """Return weights drawn as Glorot and Bengio propose; a forget gate starts open."""

    def draw(inputs: int, outputs: int) -> NDArray[np.float32]:
        drawn = rng.standard_normal((inputs, outputs)) * np.sqrt(2 / (inputs + outputs))
        return np.asarray(drawn, dtype=np.float32)

    bias = np.zeros(4 * units, np.float32)
    bias[units : 2 * units] = 1
    return {
        "encoder_input": draw(features, 4 * units),
        "encoder_state": draw(units, 4 * units),
        "encoder_bias": bias,
        "code": draw(units, code),
        "decoder_input": draw(code, 4 * units),
        "decoder_state": draw(units, 4 * units),
        "decoder_bias": bias,
        "output": draw(units, features),
        "output_bias": np.zeros(features, np.float32),
    }


def _cell(carry: tuple[jax.Array, jax.Array], gates: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the next (hidden, memory) of an LSTM layer from its four gates before their activation."""
    _, memory = carry
    let_in, forget, candidate, let_out = jnp.split(gates, 4, axis=-1)
    memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(let_in) * jnp.tanh(candidate)
    return jax.nn.sigmoid(let_out) * jnp.tanh(memory), memory


def _drawn(weights: Weights, windows: jax.Array, *, rows: int) -> jax.Array:
    """Return the last `rows` rows of each window as the network draws them, newest first: (rows, windows, features)."""
    nothing = jnp.zeros((windows.shape[0], weights["encoder_state"].shape[0]), windows.dtype)

    def read(carry: Any, row: jax.Array) -> tuple[Any, None]:
        gates = row @ weights["encoder_input"] + carry[0] @ weights["encoder_state"] + weights["encoder_bias"]
        return _cell(carry, gates), None

    (hidden, _), _ = jax.lax.scan(read, (nothing, nothing), jnp.swapaxes(windows, 0, 1))
    given = hidden @ weights["code"] @ weights["decoder_input"] + weights["decoder_bias"]

    def draw(carry: Any, _: None) -> tuple[Any, jax.Array]:
        carry = _cell(carry, given + carry[0] @ weights["decoder_state"])
        return carry, carry[0] @ weights["output"] + weights["output_bias"]

    return jax.lax.scan(draw, (nothing, nothing), None, length=rows)[1]


@jax.jit
def _last_error(weights: Weights, windows: jax.Array) -> jax.Array:
    return _drawn(weights, windows, rows=1)[0] - windows[:, -1]


@jax.jit
def _train(weights: Weights, state: Any, windows: jax.Array, rate: float) -> tuple[Weights, Any]:
    """Return weights and optimiser state after one step on one batch of windows."""

    def loss(weights: Weights) -> jax.Array:
        drawn = _drawn(weights, windows, rows=windows.shape[1])
        target = jnp.swapaxes(windows, 0, 1)[::-1]
        return optax.losses.huber_loss(drawn, target, delta=3.0).mean()

    change, state = _OPTIMISER.update(jax.grad(loss)(weights), state)
    return {name: weight - rate * change[name] for name, weight in weights.items()}, state
