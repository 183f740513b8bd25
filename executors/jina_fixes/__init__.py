"""Patches of Jina and DocArray, one module and one test each.

==================  ==================================================================================
Module              What it changes
==================  ==================================================================================
`cheap_discovery`   An executor builds the schemas of its endpoints once.
`cheap_documents`   Reading documents builds no validator for each of them.
`declared_schemas`  The gateway compares the schemas that executors declare.
`docarray_import`   DocArray does not load TensorFlow, PyTorch or JAX.
`executor_reports`  An executor answers Jina's status call with its metrics and faults.
`executor_requests` A function runs around each request of an executor, and its context reaches threads.
`graph`             Requests share the schemas in Jina's graph of executors.
`json_logs`         Jina's JSON logs are those of the rest of the process.
`lifetimes`         The processes of a Flow end with the process that started them.
`log_levels`        Mistakes of callers are one line in the log, without a traceback.
`message_sizes`     Sizes of messages are not counted in the environment, which leaks memory.
`orderly_stop`      A gRPC server answers the requests that it has before it stops.
`ports`             The system gives the ports of executors to nobody else.
`request_steps`     Requests of all protocols pass through the same steps on their way to the executors.
`starting`          An executor that cannot start says why in one line.
`telemetry`         Nothing is reported to third parties.
`typed_lists`       Typed lists of documents work on Python 3.12 and later.
==================  ==================================================================================

Each module says why it is needed and when it can go. Nothing is imported here, so that a patch can be
applied before Jina or DocArray is imported.
"""
