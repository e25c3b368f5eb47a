from celery import shared_task

from accounts.audit import sealing


@shared_task(name="accounts.audit.tasks.seal", ignore_result=True)
def seal() -> int:
    return sealing.seal()
