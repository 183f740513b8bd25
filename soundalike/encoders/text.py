"""The network of a model that gives texts vectors in the space of its sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from soundalike.encoders.compiled import Keeping, Numbers
from soundalike.encoders.manifest import Text
from soundalike.encoders.runtime import open_session
from soundalike.errors import ModelError, ParameterError, WeightsCorrupt, WeightsMissing
from soundalike.types import FloatArray

#: Names beside the model's file.
TEXT, TOKENIZER = "text.onnx", "tokenizer.json"
#: The largest ones, of languages with many signs, have some 20 MB.
_MOST_TOKENIZER_BYTES = 64 << 20
_EXAMPLE = "dog barking far away"


class TextNetwork:
    """Gives texts vectors.

    Parameters
    ----------
    network : Path
        An ONNX file.
    tokenizer : Path
        A ``tokenizer.json`` of Hugging Face's tokenizers.
    facts : Text
    dimension : int
        Numbers of a vector.
    precision : str
        As for `soundalike.encoders.runtime.open_session`.
    folder : Path, optional
        Where OpenVINO's form of the network may be kept.

    Raises
    ------
    WeightsMissing
        A file is missing.
    WeightsCorrupt
        A file cannot be used, or does not do what the facts say.
    ModelError
        The package ``tokenizers`` is not installed.
    """

    def __init__(
        self,
        network: Path,
        tokenizer: Path,
        facts: Text,
        dimension: int,
        *,
        precision: str = "auto",
        folder: Path | None = None,
    ) -> None:
        for path in (network, tokenizer):
            if not path.is_file():
                raise WeightsMissing(
                    f"{path} is missing, so this model knows sounds only; add it again with: soundalike "
                    "models add MODEL.onnx --manifest FILE.yml --text TEXT.onnx --tokenizer FILE.json"
                )
        self._path, self._facts, self._dimension = network, facts, dimension
        self._tokenizer = _opened(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(facts.most_tokens)
        given = (facts.ids,) if facts.mask is None else (facts.ids, facts.mask)
        keeping = None if folder is None else Keeping(folder, lambda: self._tokens(_EXAMPLE))
        self._session = open_session(network, given, facts.tensor, precision=precision, keeping=keeping)
        self(_EXAMPLE)

    def __call__(self, text: str) -> FloatArray:
        """Return the vector of a text, ``(dimension,)`` float32 of length 1.

        Raises
        ------
        ParameterError
            The text has no tokens.
        WeightsCorrupt
            The network gives something else than the facts say.
        """
        found = self._session(*self._tokens(text))
        if found.shape != (1, self._dimension):
            raise WeightsCorrupt(
                f"{self._path} gives {found.shape} for a text; the manifest says (1, {self._dimension})"
            )
        length = float(np.linalg.norm(found))
        if not 0 < length < np.inf:
            raise WeightsCorrupt(f"{self._path} gives a vector of the length {length} for {text[:80]!r}")
        vector: FloatArray = (found[0] / length).astype(np.float32)
        return vector

    def _tokens(self, text: str) -> tuple[Numbers, ...]:
        """Return what the network takes: the tokens, and where it wants one the mask."""
        ids = list(self._tokenizer.encode(text).ids) if text.strip() else []
        if not ids:
            raise ParameterError(f"the text is {text[:80]!r}, without a word; describe a sound")
        mask = [1] * len(ids)
        if self._facts.pad_id is not None:
            missing = self._facts.most_tokens - len(ids)
            ids, mask = ids + [self._facts.pad_id] * missing, mask + [0] * missing
        rows = (ids,) if self._facts.mask is None else (ids, mask)
        return tuple(np.array([row], np.int64) for row in rows)


def _opened(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as exc:
        raise ModelError(
            "texts need the package tokenizers; install it with: pip install 'soundalike[text]'"
        ) from exc
    size = path.stat().st_size
    if size > _MOST_TOKENIZER_BYTES:
        raise WeightsCorrupt(f"{path} has {size >> 20} MB, more than any tokenizer")
    try:
        return Tokenizer.from_file(str(path))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:  # a panic of the library is not an Exception
        reason = " ".join(str(exc).split())[:200] or type(exc).__name__
        raise WeightsCorrupt(f"{path} cannot be used as a tokenizer ({reason})") from exc
