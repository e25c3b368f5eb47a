"""What a worker does with records, and what beat calls."""

from celery import shared_task


@shared_task(name="visits.records.tasks.make_copy", ignore_result=True)
def make_copy(pk: str) -> None:
    from visits.records.services import copies

    copies.make(pk)


@shared_task(name="visits.records.tasks.tick", ignore_result=True)
def tick() -> int:
    from visits.records.services import copies

    return copies.tick()


@shared_task(name="visits.records.tasks.retain", ignore_result=True)
def retain() -> int:
    from visits.records import retention

    return sum(due.rows for due in retention.run())
