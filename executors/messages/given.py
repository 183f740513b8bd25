"""Documents of clients, which the first executor of an endpoint reads strictly.

They have the fields of the documents of the same names, and refuse unknown fields. Documents of
answers do not: a client may be older than the service.
"""

from __future__ import annotations

from typing import Any

from docarray import BaseDoc
from pydantic import ValidationError

from executors.messages import (
    documents,
    events,
    listings,
    repeats,
    searches,
    speakers,
    vector_documents,
)
from executors.messages.names import FIELD_ALIASES, aliases_of, both_given
from executors.messages.validation import invalid_values
from soundalike.errors import ParameterError
from soundalike.parameters import refuse_unknown


class _Given(BaseDoc):
    """A document that is read strictly."""

    @classmethod
    def from_protobuf(cls, pb_msg: Any) -> Any:
        """Return the document of a message.

        Raises
        ------
        UnknownParameter
            It has a field that is not known.
        ParameterError
            A field has a value of another type, or two names and two values.
        """
        _rename(pb_msg, aliases_of(cls.model_fields, FIELD_ALIASES))
        refuse_unknown(pb_msg.data, cls.model_fields, kind="field")
        try:
            return super().from_protobuf(pb_msg)
        except ValidationError as exc:
            raise invalid_values(exc) from None
        except Exception as exc:
            # DocArray raises many kinds of errors where a message holds another type.
            raise ParameterError(
                f"the document cannot be read as {cls.__name__} ({exc}); check the types of its fields"
            ) from exc


def _rename(message: Any, aliases: dict[str, str]) -> None:
    """Give fields that came under an alias their proper names."""
    for alias in aliases.keys() & message.data.keys():
        proper = aliases[alias]
        if proper in message.data and message.data[proper] != message.data[alias]:
            raise both_given(alias, proper)
        message.data[proper].CopyFrom(message.data[alias])
        del message.data[alias]


class Clip(_Given, documents.Clip):  # noqa: D101 - the docstring is the parent's
    __doc__ = documents.Clip.__doc__


class Deletion(_Given, documents.Deletion):  # noqa: D101 - the docstring is the parent's
    __doc__ = documents.Deletion.__doc__


class Status(_Given, documents.Status):  # noqa: D101 - the docstring is the parent's
    __doc__ = documents.Status.__doc__


class StoredDoc(_Given, listings.StoredDoc):  # noqa: D101 - the docstring is the parent's
    __doc__ = listings.StoredDoc.__doc__


class CollectionDoc(_Given, listings.CollectionDoc):  # noqa: D101 - the docstring is the parent's
    __doc__ = listings.CollectionDoc.__doc__


class LabelDoc(_Given, listings.LabelDoc):  # noqa: D101 - the docstring is the parent's
    __doc__ = listings.LabelDoc.__doc__


class FolderDoc(_Given, listings.FolderDoc):  # noqa: D101 - the docstring is the parent's
    __doc__ = listings.FolderDoc.__doc__


class AnnotationDoc(_Given, listings.AnnotationDoc):  # noqa: D101 - the docstring is the parent's
    __doc__ = listings.AnnotationDoc.__doc__


class VectorsDoc(_Given, vector_documents.VectorsDoc):  # noqa: D101 - the docstring is the parent's
    __doc__ = vector_documents.VectorsDoc.__doc__


class SpokenClip(_Given, speakers.SpokenClip):  # noqa: D101 - the docstring is the parent's
    __doc__ = speakers.SpokenClip.__doc__


class SearchFileDoc(_Given, searches.SearchFileDoc):  # noqa: D101 - the docstring is the parent's
    __doc__ = searches.SearchFileDoc.__doc__


class ListenClip(_Given, events.ListenClip):  # noqa: D101 - the docstring is the parent's
    __doc__ = events.ListenClip.__doc__


class RepeatsClip(_Given, repeats.RepeatsClip):  # noqa: D101 - the docstring is the parent's
    __doc__ = repeats.RepeatsClip.__doc__
