"""Compare parts of recordings with a query, for the encoder."""

from collections.abc import Callable
from typing import List, Optional

import numpy as np
from docarray import DocList

from executors.messages.events import HeardClip, ListenedDoc, parts_of
from executors.messages.failures import document_at_fault
from executors.messages.parameters import ListenParameters
from executors.messages.repeats_values import write_heard
from soundalike.errors import ParameterError, ServiceError
from soundalike.events.aligning import align
from soundalike.events.listening import Hearing, QuerySound, Stretch
from soundalike.events.unrelated_sound import reread_model
from soundalike.repeats.hearing import active_parts
from soundalike.types import FloatArray, Recording

#: The gateway knows which recording a part belongs to.
_ANY = Recording("", "", 0.0)


def listen_to(
    docs: DocList[HeardClip],
    parameters: ListenParameters,
    hearing: Hearing,
    samples_of: Callable[[HeardClip], FloatArray],
) -> DocList[ListenedDoc]:
    """Return what the query was found at in each part; None for the parts that could not be read.

    Without a query, what differs from the background of each part is returned.

    Parameters
    ----------
    docs : DocList of HeardClip
        The first has the query's samples, if there is one.
    parameters : ListenParameters
    hearing : Hearing
    samples_of : callable
        Returns the samples of a document.
    """
    sound: Optional[QuerySound] = None
    results = DocList[ListenedDoc]()
    stretches: List[Optional[Stretch]] = []
    for doc in docs:
        result = ListenedDoc(id=doc.id, uri=doc.uri, error_code=doc.error_code, error=doc.error)
        results.append(result)
        stretches.append(None)
        if doc.query is not None:
            query = np.asarray(doc.query, dtype=np.float32)
            sound = hearing.loud_part(query, parameters.query_start_s)
        if doc.error_code or (doc.samples is None and doc.spool_name is None):
            continue
        with document_at_fault(result, (ServiceError,)):
            samples = samples_of(doc)
            if doc.sample_rate_hz != hearing.rate_hz:
                raise ParameterError(
                    f"the segmenter decodes at {doc.sample_rate_hz} Hz, the encoder needs "
                    f"{hearing.rate_hz} Hz; give both the same model"
                )
            stretch = hearing.hear(samples)
            if parameters.model_of is not None:
                stretches[-1] = stretch
            elif parameters.query_uri is None:
                write_heard([] if stretch is None else list(active_parts(_ANY, 0.0, stretch)), result)
            elif stretch is not None and sound is not None:
                found = align(hearing, sound, stretch, parameters.gap_s, parameters.min_score)
                result.parts = parts_of(found)
    if parameters.model_of is not None:
        unrelated = [doc.unrelated for doc in docs]
        model = reread_model(unrelated, stretches, parameters.collection_size)
        results[0].model = model.to_json() if model else {}
    return results
