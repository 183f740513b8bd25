"""The endpoint of maps."""

import asyncio
from typing import Any, Dict, Union

from docarray import DocList
from jina import requests

from executors.messages import given
from executors.messages.maps import MapDoc, map_doc
from executors.messages.parameters import MapParameters
from executors.timescale_indexer.base import StoreExecutor
from soundalike.clock.start_time.zones import zone_named
from soundalike.config import Settings
from soundalike.maps.build import make_map

_MAP = MapParameters()


class MapEndpoints(StoreExecutor):
    """Makes maps of collections."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Two requests for a first map would compute the same layout.
        self._making = asyncio.Lock()
        # Jina reads typed parameters in a synchronous wrapper, and takes the endpoint for one: so it
        # hands over a dictionary here.
        own = self.requests["/map"]._replace(parameters_is_pydantic_model=False)
        self.requests["/map"] = own

    @requests(on="/map")
    async def make_map(
        self, docs: DocList[given.CollectionDoc], parameters: MapParameters = _MAP, **kwargs: Any
    ) -> DocList[MapDoc]:
        """Return the map of a collection; new points are placed in the kept layout.

        Jina lets one synchronous endpoint run at a time, and a layout takes minutes; an asynchronous one
        with a thread of its own leaves searches alone.
        """
        async with self._making:
            return DocList[MapDoc]([await asyncio.to_thread(self._map, parameters)])

    def _map(self, asked: Union[MapParameters, Dict[str, Any]]) -> MapDoc:
        parameters = MapParameters(**asked) if isinstance(asked, dict) else asked
        zone = zone_named(Settings.from_env().time_zone)
        return map_doc(make_map(self._store, parameters.request).to_json(zone))
