"""The demo clinic and its /dev/ pages: installed only where TELEHEALTH_DEMO is on, never among real people."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "visits.demo"
    verbose_name = "Demo"
