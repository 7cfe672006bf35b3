# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ECR: a layer is downloaded from where it is."""

from __future__ import annotations

import os

from mending import mend
from ministack.services import ecr


@mend("services.ecr:_get_download_url_for_layer", "56e5002b00dc")
def layers_are_downloaded_here(upstream):
    """GetDownloadUrlForLayer names a host of AWS, which has no such layer."""

    def get_download_url_for_layer(data):
        status, headers, body = upstream(data)
        if status != 200:
            return status, headers, body
        digest = data.get("layerDigest", "")
        here = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/v2/{data.get('repositoryName', '')}/blobs/{digest}"
        return ecr.json_response({"downloadUrl": here, "layerDigest": digest})

    return get_download_url_for_layer
