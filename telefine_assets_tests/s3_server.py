"""An S3 endpoint for tests: moto's server in a process of its own, and the environment that leads to it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BUCKET = "telefine-test"
_SERVE = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Serve an empty bucket for as long as the block lasts; gives the environment of whoever is to use it."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        environment = {
            "AWS_ACCESS_KEY_ID": "an-id-for-tests",
            "AWS_SECRET_ACCESS_KEY": "a-key-for-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": process.stdout.readline().strip(),
        }
        try:
            _forget_others()
            _make_bucket(environment)
            yield environment
        finally:
            process.stdin.close()
            _forget_others()


def _forget_others() -> None:
    """Have this process forget its connections: fsspec keeps one for the same arguments, wherever that led."""
    import boto3
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    boto3.DEFAULT_SESSION = None


def _make_bucket(environment: dict[str, str]) -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    client.create_bucket(Bucket=BUCKET)
