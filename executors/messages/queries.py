"""Read the kind and the part of a query from its document."""

from typing import Any

from executors.messages.documents import Clip
from soundalike.audio.excerpt import Excerpt
from soundalike.errors import ParameterError


def kind_of(clip: Clip) -> str:
    """Return the kind of a query: ``audio``, ``stored``, ``vector``, ``text`` or ``label``.

    Raises
    ------
    ParameterError
        It is several of these.
    """
    given = {
        "audio": bool(clip.uri or clip.audio_base64),
        "stored": bool(clip.recording_id),
        "vector": clip.vector is not None,
        "text": clip.text is not None,
        "label": clip.like_label is not None,
    }
    kinds = [kind for kind, is_given in given.items() if is_given]
    if len(kinds) > 1:
        raise ParameterError(
            "the document has several of uri or audio_base64, recording_id, vector, text, and "
            "like_label; give one of them"
        )
    return kinds[0] if kinds else "audio"


def excerpt_of(doc: Any) -> Excerpt:
    """Return which part of a recording a document means.

    Raises
    ------
    ParameterError
        There is no such part.
    """
    return Excerpt(doc.start_s, doc.end_s, doc.at_s)
