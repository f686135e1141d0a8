"""A Celery app whose one task lasts until it is told to end; its Redis is in the environment."""

import os
import time

from celery import Celery

from telefine_assets.automation.celery_life import give_signs

app = Celery("lasting", broker=f"{os.environ['LASTING_REDIS']}/0", backend=f"{os.environ['LASTING_REDIS']}/1")
app.conf.task_track_started = True
give_signs(app)


@app.task
def last() -> None:
    """Until somebody sets ``end``."""
    while app.backend.client.get("end") is None:
        time.sleep(0.05)
