"""What patients do by themselves: book on the clinic's public page, move, cancel, see their visits."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OnlineConfig(AppConfig):
    name = "visits.online"
    verbose_name = _("Online booking")
