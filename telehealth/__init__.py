"""Wiring only: settings, URLs, ASGI and Celery. Nothing of ours imports this package."""

from telehealth.celery import app as celery_app

__all__ = ["celery_app"]
