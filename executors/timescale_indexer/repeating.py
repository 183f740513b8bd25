"""Find candidates of copies, and parts that stand out, in recordings that documents name."""

from docarray import DocList

from executors.messages import given
from executors.messages.parameters import DuplicatesParameters, MotifsParameters
from executors.messages.repeats import CandidatesDoc, MotifPartsDoc
from executors.messages.repeats_values import candidates_doc, motif_parts_doc
from soundalike.audio.excerpt import Excerpt
from soundalike.encoders.layout import examples_of
from soundalike.errors import ParameterError
from soundalike.filters import Filters
from soundalike.repeats.candidates import Candidate, most_alike, spec_of
from soundalike.repeats.copies import compare_vectors
from soundalike.repeats.standing_out import outliers
from soundalike.store import Store

#: Of a recording whose paths alone are wanted: one window.
_LITTLE = Excerpt(at_s=0.0)


def candidates_of_copies(
    docs: DocList[given.RepeatsClip], store: Store, parameters: DuplicatesParameters
) -> DocList[CandidatesDoc]:
    """Return the recordings that may be copies of each one; those that are gone are left out.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    ParameterError
        A document names no recording, or a value is out of its range.
    """
    request = parameters.request
    spec = spec_of(store, parameters.collection)
    filters = Filters(uri_prefix=request.under)
    result = DocList[CandidatesDoc]()
    for doc in docs:
        _check_id(doc)
        if doc.other_id:
            result.append(_compared(doc, store, parameters.collection))
            continue
        content = store.content(doc.recording_id, _LITTLE, collection=parameters.collection)
        files = [file for file in content.files if file.uri.startswith(request.under)] if content else []
        if not files:
            continue
        windows = store.searchable_windows(
            filters, recording_id=doc.recording_id, collection=parameters.collection
        )
        found = [one for each in windows for one in most_alike(store, spec, each, request)]
        result.append(candidates_doc(files, found))
    return result


def _compared(doc: given.RepeatsClip, store: Store, collection: str) -> CandidatesDoc:
    candidate = Candidate(doc.recording_id, str(doc.other_id), doc.start_s, doc.other_start_s, 0.0)
    copy = compare_vectors(store, candidate, collection)
    result = CandidatesDoc(id=doc.id, recording_id=doc.recording_id, other_ids=[candidate.second])
    if copy is not None:
        result.offset_s, result.score = copy.offset_s, copy.score
    return result


def parts_of_motifs(
    docs: DocList[given.RepeatsClip], store: Store, parameters: MotifsParameters
) -> DocList[MotifPartsDoc]:
    """Return the parts of each recording that stand out; recordings without one are left out.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    ParameterError
        A document names no recording.
    """
    spec = spec_of(store, parameters.collection)
    result = DocList[MotifPartsDoc]()
    for doc in docs:
        _check_id(doc)
        for windows in store.searchable_windows(
            Filters(), recording_id=doc.recording_id, collection=parameters.collection
        ):
            if found := outliers(windows, examples_of(spec)):
                result.append(motif_parts_doc(windows.recording, found))
    return result


def _check_id(doc: given.RepeatsClip) -> None:
    if not doc.recording_id:
        raise ParameterError("a document names no recording; give recording_id")
